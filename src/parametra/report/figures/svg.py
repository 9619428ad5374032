"""From a matplotlib figure to SVG text that can stand in a page: text stays text, ids are unique, numbers are short."""

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "parametra",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.labelsize": 9.0,
    "axes.labelcolor": "#3a3d44",
    "axes.edgecolor": "#9a9da5",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e7e8eb",
    "grid.linewidth": 0.8,
    "xtick.color": "#6a6d75",
    "ytick.color": "#6a6d75",
    "xtick.labelcolor": "#3a3d44",
    "ytick.labelcolor": "#3a3d44",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "text.color": "#1b1b1f",
    "lines.solid_capstyle": "round",
}
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"


@contextmanager
def panel(
    width: float = 4.6, height: float = 3.3, left: float = 0.13, right: float = 0.97, bottom: float = 0.15
) -> Iterator["Panel"]:
    """A figure with one axes in the style of the page [inches, shares of the figure]; `Panel.svg` is set at the end."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((left, bottom, right - left, 0.88 - bottom))
        result = Panel(figure, axes)
        yield result
        result.svg = to_svg(figure)


class Panel:
    """A figure while it is drawn."""

    def __init__(self, figure: Figure, axes: Axes):
        self.figure, self.axes, self.svg = figure, axes, ""


def to_svg(figure: Figure) -> str:
    """The figure as one <svg> element that scales with its place."""
    stream = io.StringIO()
    no_metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(stream, format="svg", transparent=True, dpi=110, metadata=no_metadata)
    text = stream.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", FONT, text)
    text = re.sub(r"-?\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", text)
    prefix = f"f{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8]}-"  # the same page for the same run
    text = re.sub(r'\bid="', f'id="{prefix}', text)
    text = re.sub(r'(href="#|url\(#)', rf"\1{prefix}", text)
    return re.sub(r"\n\s*", "\n", text)
