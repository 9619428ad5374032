"""The noise ceiling: how far twins of one column part, and when they have stopped parting."""

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.colors import to_hex

from parametra.report.figures.lines import by_day
from parametra.report.figures.palette import BLACK, Palette
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Section, missing

TITLE = "Noise ceiling"
LEAD = (
    "Twins of the cloud-resolving model under one host forcing, cells perturbed, host means kept. What twins do not share, "
    "no network "
    "can predict from the host's state: ceiling R² = 1 − var(a − b) / (2 var a), taken only after their "
    "difference has levelled off."
)
NAMES = {
    "tendency_of_air_temperature": "heating",
    "tendency_of_specific_humidity": "moistening",
    "precipitation_flux": "rain",
}
SHOWN_LEVELS = 5


def section(run: RunReader) -> Section | None:
    """Growth of the difference between twins with lead time, at a few levels and on average."""
    data = run.fields("ceiling")
    if data is None:
        return missing("ceiling", TITLE, LEAD, run.why_missing("ceiling"))
    curves = [data[f"growth_{name}"] for name in NAMES if f"growth_{name}" in data]
    figures = tuple(Figure(_growth(curve)) for curve in curves)
    text = (
        "The curves rise to 1 − ceiling. A ceiling from twins that are still parting would be too high; if a network beats the "
        "ceiling, the ceiling is wrong."
    )
    note = Note(text)
    return Section("ceiling", TITLE, LEAD, (Panels(figures, columns=3 if len(figures) > 2 else 2), note))


def _growth(growth: xr.DataArray) -> str:
    hours = growth.lead.values.astype(np.float64)
    name = str(growth.name).removeprefix("growth_")
    if "level" in growth.dims:
        curves = growth.transpose("lead", "level").values
        chosen = np.unique(np.linspace(0.2 * curves.shape[1], curves.shape[1] - 1, SHOWN_LEVELS).round().astype(int))
        lines = {f"σ = {float(growth.level[k]):.2f}": curves[:, k] for k in chosen}
        colours = dict(zip(lines, _ramp(len(lines)), strict=True))
        live = curves[:, np.isfinite(curves).any(axis=0)]
        lines["mean of all levels"] = np.nanmean(live, axis=1)
    else:
        lines, colours = {"column": growth.values}, {}
    palette = Palette(colours | {key: BLACK for key in lines if key not in colours})
    title = f"Difference of twins, {NAMES.get(name, name.replace('_', ' '))}"
    top = max(float(np.nanmax(values)) for values in lines.values())
    plateau = float(np.nanmean(next(reversed(lines.values()))[-max(2, hours.size // 3) :]))
    band = (0.95 * plateau, 1.05 * plateau, "mean of the last third ± 5 %")
    return by_day(
        hours, lines, palette, title, "var(a − b) / (2 var a)", limits=(0.0, max(1.0, 1.05 * top)), tolerance=band,
        xlabel="lead [hours]",
    )  # fmt: skip


def _ramp(count: int) -> list[str]:
    return [to_hex(colour) for colour in mpl.colormaps["viridis"](np.linspace(0.05, 0.85, count))]
