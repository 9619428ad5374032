"""From a matplotlib figure to SVG text that can stand in a page: text stays text, ids are unique, numbers are short."""

import hashlib
import io
import math
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

    def legend_below(self) -> None:
        """Put the legend under the axes, where it hides nothing; the figure grows by the rows that it needs."""
        handles, labels = self.axes.get_legend_handles_labels()
        if not handles:
            return
        width, height = self.figure.get_size_inches()
        left = self.axes.get_position().x0
        # 0.06 in a letter and 0.48 in for the sample of an entry, at the legend's font size
        fitting = int(width * (1 - left) / (0.48 + 0.06 * max(map(len, labels))))
        columns = max(1, min(fitting, len(labels), 4))
        extra = 0.17 * math.ceil(len(labels) / columns)
        for axes in self.figure.axes:
            x, y, w, h = axes.get_position().bounds
            axes.set_position((x, (y * height + extra) / (height + extra), w, h * height / (height + extra)))
        self.figure.set_size_inches(width, height + extra)
        self.figure.legend(
            handles, labels, loc="lower left", bbox_to_anchor=(left, 0.01), ncols=columns, handlelength=1.6, labelspacing=0.3,
            columnspacing=1.4, borderpad=0.0, borderaxespad=0.0,
        )  # fmt: skip


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
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r"<[^>]+>", _shorten, text)
    prefix = f"f{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8]}-"  # the same page for the same run
    text = re.sub(r'\bid="', f'id="{prefix}', text)
    text = re.sub(r'(href="#|url\(#)', rf"\1{prefix}", text)
    return re.sub(r"\n\s*", "\n", text)


def _shorten(tag: re.Match[str]) -> str:
    """A tag with its coordinates to a tenth of a point, which is finer than a pixel; text between tags stays as it is."""
    return re.sub(r"-?\d+\.\d{2,}", lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), tag[0])
