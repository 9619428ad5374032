"""The lottery: how many networks of each kind keep the climate, when the others lose it, and what would have told."""

import numpy as np
import xarray as xr

from parametra.report.figures.scaling import Curve, curves
from parametra.report.formatting import number
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Section, Table

TITLE = "The lottery"
LEAD = (
    "Networks that differ in their seeds alone: how many keep the climate, and which number known before the run, or in its "
    "first days, tells them apart? An area of 0.5 is chance, 1 means that every lost network had the larger risk; in brackets "
    "95 % intervals. The best of many numbers looks good by chance: the table of targets says how good. On one kind, marked "
    "unseen, no predictor was chosen; regressions are cross-validated within a kind, and for that one fitted to the others."
)


def section(run: RunReader) -> Section | None:
    """Shares, survival by day, and the areas under the curve of every predictor; None where no lottery was asked for."""
    data = run.fields("lottery")
    if data is None:
        return None
    parts = (Panels((Figure(_survival(data)), Figure(_risk(data))), columns=2), _shares(data), _areas(data))
    few = [str(kind) for kind in data.of.values if not np.isfinite(data.area_lost.sel(of=kind, bound="value")).any()]
    reason = "fewer than three lost or fewer than three kept, so nothing is said."
    notes = [Note(f"{', '.join(few)}: {reason}", "warning")] if few else []
    return Section("lottery", TITLE, LEAD, (*parts, *notes))


def _of(data: xr.Dataset, kind: object) -> xr.Dataset:
    return data.isel(network=np.flatnonzero(data.kind.values == kind))


def _survival(data: xr.Dataset) -> str:
    """Share of each kind that still has the climate, by day."""
    last = float(np.nanmax(np.append(data.lost_day.values, data.days.values.min())))
    day = np.linspace(0.0, last, 181)
    lines = {}
    for kind in data.of.values:
        ends = _of(data, kind).lost_day.values
        lines[str(kind)] = Curve(np.array([np.mean(~(ends <= at)) for at in day]))
    return curves(day, lines, "Networks that still have the climate", "day", "share")


def _risk(data: xr.Dataset) -> str:
    """What the best predictor known before says, against the rain profile's correlation at the end of the trial."""
    means = data.area_lost.sel(bound="value", of=[kind for kind in data.of.values if str(kind) != data.attrs["unseen"]]).mean(
        "of"
    )
    singles = [str(name) for name in means.predictor.values if str(name) in data and not str(name).startswith("early")]
    best = max(singles, key=lambda name: float(means.sel(predictor=name).fillna(0.0)))
    lines = {}
    for kind in data.of.values:
        here = _of(data, kind)
        lines[str(kind)] = Curve(np.nan_to_num(here.late_rain.values), here[best].values, style="points")
    label = f"{data[best].attrs['long_name']} [{data[best].attrs['units']}]"
    return curves(np.array([]), lines, "What would have told best, before", label, "r of rain by latitude; 0: stopped")


def _shares(data: xr.Dataset) -> Table:
    rows = []
    for kind in data.of.values:
        here = _of(data, kind)
        count, kept, crashed = here.sizes["network"], int((~here.lost).sum()), int(here.crashed.sum())
        when = here.lost_day.values[np.isfinite(here.lost_day.values)]
        counts = map(str, (count, kept, count - kept - crashed, crashed))
        rows.append((_head(data, kind), *counts, number(float(np.median(when))) if when.size else "–"))
    head = ("networks", "tried", "keep the climate", "run on in another climate", "stop", "median day of loss")
    return Table(head, tuple(rows))


def _areas(data: xr.Dataset) -> Table:
    rows = []
    for name in map(str, data.predictor.values):
        words = (
            f"{data[name].attrs['long_name']} [{data[name].attrs['units']}]"
            if name in data
            else f"{name}, regression out of sample"
        )
        cells = []
        for kind in data.of.values:
            area = data.area_lost.sel(predictor=name, of=kind)
            value, low, high = (float(area.sel(bound=bound)) for bound in ("value", "low", "high"))
            cells.append(f"{value:.2f} ({low:.2f} to {high:.2f})" if np.isfinite(value) else "–")
        rows.append((words, *cells))
    return Table(("area under the curve for loss", *(_head(data, kind) for kind in data.of.values)), tuple(rows))


def _head(data: xr.Dataset, kind: object) -> str:
    name = str(kind)
    return f"{name} (unseen)" if name == data.attrs["unseen"] and name != "unseen" else name
