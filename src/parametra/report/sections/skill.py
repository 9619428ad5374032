"""Skill by level: how much of a single step the network predicts, beside what is possible at all."""

import numpy as np
import xarray as xr

from parametra.report.figures.bars import grouped_bars
from parametra.report.figures.lines import Band, by_level
from parametra.report.figures.meridional import Scale, meridional_section
from parametra.report.figures.palette import label
from parametra.report.formatting import number
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Part, Section, Table, missing

TITLE = "Skill by level"
LEAD = (
    "R² on a stretch of truth that neither training nor selection has seen. Pooled: variance over time and space together. "
    "Per cell: "
    "over time in each cell, then the mean over cells; much lower for the same network. The two must never be "
    "mixed."
)
TARGETS = {"tendency_of_air_temperature": "heating", "tendency_of_specific_humidity": "moistening"}
SCALARS = {
    "precipitation_flux": "rain",
    "toa_net_downward_shortwave_flux": "short-wave\ntop",
    "surface_net_downward_shortwave_flux": "short-wave\nsurface",
    "toa_outgoing_longwave_flux": "long-wave\ntop",
    "surface_net_upward_longwave_flux": "long-wave\nsurface",
}
CONVENTIONS = (("r2_pooled", "pooled", (-0.1, 1.0)), ("r2_per_cell", "mean of cells", (-1.0, 1.0)))


def section(run: RunReader) -> Section | None:
    """R2 by level in both conventions with the noise ceiling, fluxes, and time means."""
    data, left_out = run.drawn("skill", "model")
    if data is None:
        return missing("skill", TITLE, LEAD, run.why_missing("skill"))
    parts: list[Part] = []
    for variable, convention, limits in CONVENTIONS:
        if variable in data:
            drawings = [_levels(run, data, variable, convention, limits, str(target)) for target in data.target.values]
            parts.append(Panels(tuple(Figure(drawing) for drawing in drawings), columns=2))
    if (maps := run.fields("skillmap")) is not None:
        parts.append(_maps(maps))
    bars = [
        *_windows(run, data),
        *([_scalars(run, data)] if "r2_scalar" in data else []),
    ]
    if bars:
        parts.append(Panels(tuple(Figure(drawing) for drawing in bars), columns=3, title="Averaged in time, and fluxes"))
    parts += [Note(left_out)] if left_out else []
    parts += _masked(data)
    return Section("skill", TITLE, LEAD, tuple(parts))


def _levels(run: RunReader, data: xr.Dataset, variable: str, convention: str, limits: tuple[float, float], target: str) -> str:
    chosen = data.sel(target=target)
    lines = {str(name): chosen[variable].sel(model=name).values for name in data.model.values}
    band: Band | None = None
    centre = None
    if "ceiling" in chosen and variable == "r2_pooled":  # the ceiling is a ratio of pooled variances
        centre = chosen.ceiling.values
        ends = (chosen.get("ceiling_low", chosen.ceiling).values, chosen.get("ceiling_high", chosen.ceiling).values)
        band = (*ends, "noise ceiling, interval")
    masked = data.level.values[_masked_levels(chosen)] if "masked" in chosen and variable == "r2_pooled" else []
    return by_level(
        data.level.values, lines, run.palette, f"{TARGETS.get(target, target).capitalize()}, {convention}",
        xlabel=f"R² ({convention})", limits=limits, band=band, band_centre=centre, masked=list(masked),
    )  # fmt: skip


def _maps(data: xr.Dataset) -> Panels:
    """R2 of the selected network by latitude and level, in both conventions."""
    colours = Scale("RdYlGn", np.linspace(-1.0, 1.0, 21), True)
    figures = [
        Figure(
            meridional_section(
                data.latitude.values, data.level.values, data[f"{kind}_{target}"].transpose("latitude", "level").values, colours,
                f"{word.capitalize()}, {convention}", "R²",
            )
        )
        for kind, convention in (("pooled", "pooled in each row"), ("per_cell", "mean of cells"))
        for target, word in TARGETS.items()
    ]  # fmt: skip
    return Panels(tuple(figures), columns=2, title="By latitude and level, the selected network (R11)")


def _masked_levels(chosen: xr.Dataset) -> np.ndarray:
    masked = chosen.masked.values if "model" not in chosen.masked.dims else chosen.masked.isel(model=0).values
    return np.asarray(masked) > 0


def _windows(run: RunReader, data: xr.Dataset) -> list[str]:
    if "r2_window" not in data:
        return []
    data = data.dropna("window", how="all", subset=["r2_window"])  # no mean of 30 min where a step is 20
    names = [f"{float(window):g} h" for window in data.window.values]
    drawings = []
    for target in data.target.values:
        values = data.r2_window.sel(target=target)
        if "level" in values.dims:
            values = values.mean("level", skipna=True)
        groups = {str(name): values.sel(model=name).values for name in data.model.values}
        title = f"{TARGETS.get(str(target), str(target)).capitalize()}, time means, 180 hPa down"
        drawings.append(grouped_bars(names, groups, run.palette, title, "R² (pooled)"))
    return drawings


def _scalars(run: RunReader, data: xr.Dataset) -> str:
    names = [SCALARS.get(str(name), str(name).replace("_", " ")) for name in data.scalar.values]
    groups = {str(name): data.r2_scalar.sel(model=name).values for name in data.model.values}
    marks = None
    if "ceiling_precipitation" in data:
        marks = np.where(data.scalar.values == "precipitation_flux", float(data.ceiling_precipitation), np.nan)
    title = "Rain and net fluxes, single steps"
    return grouped_bars(names, groups, run.palette, title, "R² (pooled)", marks=marks, marks_label="noise ceiling")


def _masked(data: xr.Dataset) -> list[Part]:
    parts: list[Part] = []
    if "ceiling" in data:
        low = [
            f"{TARGETS.get(str(target), str(target))} at σ = {', '.join(number(float(s)) for s in data.level.values[poor])}"
            for target in data.target.values
            if (poor := data.ceiling.sel(target=target).values < 0.2).any()
        ]
        if low:
            text = "Levels where even a perfect network could explain less than a fifth of the variance (ceiling below 0.2): "
            parts.append(Note(text + "; ".join(low) + "."))
    if "masked" in data:
        count = data.masked.sum("level")
        rows = tuple(
            (
                TARGETS.get(str(target), str(target)),
                *(str(int(count.sel(target=target, model=name))) for name in data.model.values),
            )
            for target in data.target.values
        )
        head = ("masked levels", *(label(str(name)) for name in data.model.values))
        parts.append(Table(head, rows, "Levels without variance have no R²; they are left out of every mean and counted here."))
    return parts
