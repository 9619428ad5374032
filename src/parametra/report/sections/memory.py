"""Memory: copy and addition tasks, every kind of network against the time that it trained."""

import numpy as np
import xarray as xr

from parametra.report.figures.scaling import Curve, curves
from parametra.report.formatting import duration, number
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Part, Section, Table, missing

TITLE = "Memory"
LEAD = (
    "Copy: ten symbols are to be said again after T steps. Addition: two marked ones of T numbers are to be added. Sequences are "
    "drawn afresh, so nothing is learned by heart. Lines are medians over seeds, bands the worst and the best; rivals stop at a "
    "multiple of the spectral network's time."
)
STAGES = {"copying": ("Copy", "share of symbols recalled"), "addition": ("Addition", "R² of the sum")}


def section(run: RunReader) -> Section | None:
    """Scores and losses against seconds of training, and a table."""
    figures, rows = [], []
    for stage, (title, score) in STAGES.items():
        data = run.fields(stage)
        if data is None:
            continue
        for length in data.length.values:
            one = data.sel(length=length)
            figures.append(Figure(_drawing(one, "score", f"{title}, T = {length}", score), "Scored on sequences not trained on."))
            trivial = {"without memory": Curve(np.full(2, float(one.trivial)), _ends(one), style="guide")}
            drawing = _drawing(one, "loss", f"{title}, T = {length}", "loss", trivial, log=("y",))
            figures.append(Figure(drawing, "Mean loss of the steps between two scores."))
            rows += [_row(one.sel(network=name), f"{title}, T = {length}: {name}") for name in data.network.values]
    if not figures:
        return missing("memory", TITLE, LEAD, run.why_missing("copying"))
    head = ("task and network", "free numbers", "steps", "training", "last score")
    parts: list[Part] = [Panels(tuple(figures), columns=2), Table(head, tuple(rows), "Median over seeds.")]
    return Section("memory", TITLE, LEAD, tuple(parts))


def _ends(data: xr.Dataset) -> np.ndarray:
    return np.array([0.0, float(data.seconds.max())])


def _drawing(
    data: xr.Dataset, what: str, title: str, label: str, others: dict[str, Curve] | None = None, log: tuple[str, ...] = ()
) -> str:
    lines = {}
    for name in data.network.values:
        seconds, values = (data[key].sel(network=name).values for key in ("seconds", what))
        whole = np.isfinite(seconds).all(0) & np.isfinite(values).all(0)
        y = values[:, whole] if what == "loss" else np.maximum(values[:, whole], -0.2)  # R² before training is far below zero
        low, high = (y.min(0), y.max(0)) if len(y) > 1 else (None, None)
        lines[str(name)] = Curve(np.median(y, 0), np.median(seconds[:, whole], 0), low, high)
    return curves(
        np.array([]), lines | (others or {}), title, "seconds of training", label, log=log, first=("spectral",)
    )  # fmt: skip


def _row(data: xr.Dataset, label: str) -> tuple[str, ...]:
    last = np.array([np.flatnonzero(np.isfinite(row))[-1] for row in data.seconds.values])
    step, seconds, score = (
        float(np.median(data[name].values[np.arange(len(last)), last])) for name in ("step", "seconds", "score")
    )
    return label, number(float(data.parameters.values[0])), number(step), duration(seconds), number(score)
