"""The noise ceiling: how far twins of one column part, and when they have stopped parting."""

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.colors import to_hex

from parametra.report.figures.lines import by_day
from parametra.report.figures.palette import Palette
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
    """Growth of the difference between twins with lead time, at a few levels, as a share of its last value."""
    data = run.fields("ceiling")
    if data is None:
        return missing("ceiling", TITLE, LEAD, run.why_missing("ceiling"))
    curves = [data[f"growth_{name}"] for name in NAMES if f"growth_{name}" in data]
    figures = tuple(Figure(_growth(curve)) for curve in curves)
    text = "A ceiling from twins that are still parting would be too high. If a network beats it, the ceiling is wrong."
    note = Note(text)
    return Section("ceiling", TITLE, LEAD, (Panels(figures, columns=3 if len(figures) > 2 else 2), note))


def _growth(growth: xr.DataArray) -> str:
    hours = growth.lead.values.astype(np.float64)
    if "level" in growth.dims:
        levels = growth.sizes["level"]
        chosen = np.unique(np.linspace(0.2 * levels, levels - 1, SHOWN_LEVELS).round().astype(int))
        lines = {f"σ = {float(growth.level[k]):.2f}": growth.transpose("lead", "level").values[:, k] for k in chosen}
    else:
        lines = {"column": growth.values}
    palette = Palette(dict(zip(lines, _ramp(len(lines)), strict=True)))
    name = str(growth.name).removeprefix("growth_")
    title = f"Difference of twins, {NAMES.get(name, name.replace('_', ' '))}"
    top = float(np.nanmax([np.nanmax(values) for values in lines.values()]))
    return by_day(
        hours, lines, palette, title, "share of the saturated value", limits=(0.0, max(1.2, 1.05 * top)),
        tolerance=(0.9, 1.1, "levelled off (±10 %)"), xlabel="lead [hours]",
    )  # fmt: skip


def _ramp(count: int) -> list[str]:
    return [to_hex(colour) for colour in mpl.colormaps["viridis"](np.linspace(0.05, 0.85, count))]
