"""Images read pixel by pixel: accuracy over training, and against time."""

import numpy as np

from parametra.report.figures.scaling import Curve, curves
from parametra.report.formatting import duration, number
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Section, Table, missing

TITLE = "Images, pixel by pixel"
LEAD = (
    "One pixel a step, row after row or in a fixed random order; the class is asked after the last. Networks of about equal "
    "numbers of parameters go through the images equally often; the second figure has the same scores against time."
)


def section(run: RunReader) -> Section | None:
    """Accuracy against steps and against seconds for both orders, and a table."""
    data = run.fields("pixels")
    if data is None:
        return missing("pixels", TITLE, LEAD, run.why_missing("pixels"))
    figures, rows = [], []
    for order in data.order.values:
        one = data.sel(order=order)
        for axis, label in (("step", "step of the optimiser"), ("seconds", "seconds of training")):
            lines = {}
            for name in data.network.values:
                x, y = (one[key].sel(network=name).values for key in (axis, "score"))
                whole = np.isfinite(x).all(0) & np.isfinite(y).all(0)
                band = (y[:, whole].min(0), y[:, whole].max(0)) if len(y) > 1 else (None, None)
                lines[str(name)] = Curve(np.mean(y[:, whole], 0), np.mean(x[:, whole], 0), *band)
            drawing = curves(np.array([]), lines, f"Pixels {order}", label, "test accuracy", first=("spectral",))
            figures.append(Figure(drawing, "Mean over seeds, bands the worst and the best."))
        for name in data.network.values:
            mine = one.sel(network=name)
            end = int(np.flatnonzero(np.isfinite(mine.score.values).all(0))[-1])
            scores, size = mine.score.values[:, end], (number(float(mine[key].values[0])) for key in ("width", "parameters"))
            interval = f"{100 * scores.mean():.2f} %" + (f" ± {100 * scores.std(ddof=1):.2f}" if len(scores) > 1 else "")
            rows.append((f"{order}: {name}", *size, interval, duration(float(mine.seconds.values[:, end].mean()))))
    head = ("order and network", "width", "free numbers", "test accuracy", "training")
    caption = "Accuracy: mean over seeds, ± standard deviation where there are several."
    return Section("pixels", TITLE, LEAD, (Panels(tuple(figures), columns=2), Table(head, tuple(rows), caption)))
