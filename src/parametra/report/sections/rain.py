"""R3: how hard it rains, in single steps and in daily means."""

import numpy as np
import xarray as xr

from parametra.report.figures.palette import label
from parametra.report.figures.rain import densities, quantiles
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Part, Section, missing
from parametra.report.sections.chance import sample

TITLE = "How hard it rains"
LEAD = (
    "R3. Share of area and time by precipitation, and what a given share exceeds, with 95 % intervals from resampled blocks of "
    "five days. A least-squares network predicts means, so it should rain too evenly; a histogram hides that in the tail, "
    "quantiles do not."
)


def section(run: RunReader) -> Section | None:
    """Densities and quantiles of both kinds."""
    data = run.fields("rain")
    if data is None:
        return missing("rain", TITLE, LEAD, run.why_missing("rain"))
    parts: list[Part] = []
    for kind, words in (("steps", run.single_steps), ("daily", "daily means")):
        lines = _finite(data, f"density_{kind}")
        if not lines:
            continue
        table = {name: tuple(data[f"{part}_{kind}"].sel(run=name).values for part in ("value", "low", "high")) for name in lines}
        drawings = (
            densities(data.bin.values, lines, run.palette, f"Distribution, {words}"),
            quantiles(data.exceedance.values, table, run.palette, f"Exceeded, {words}"),  # pyright: ignore[reportArgumentType]
        )
        parts.append(Panels(tuple(Figure(drawing) for drawing in drawings), columns=2))
        parts += _without_interval(table)
        parts += sample(run, f"rain_0.01_{kind}", f"rain_0.001_{kind}")
        if without := [name for name in map(str, data.run.values) if name not in lines]:
            names = ", ".join(label(name) for name in without)
            parts.append(Note(f"Not shown, for its single steps were not recorded: {names}."))
    days = ", ".join(
        f"{label(str(name))} {int(count)} days" for name, count in zip(data.run.values, data.days.values, strict=True)
    )
    parts.append(Note(f"Length of the records: {days}. Offline: the network on the truth's columns of the scoring stretch."))
    return Section("rain", TITLE, LEAD, tuple(parts))


def _without_interval(table: dict[str, tuple[np.ndarray, ...]]) -> list[Part]:
    """Which runs have points without an interval, and why; nothing where all have one."""
    without = [
        label(name)
        for name, (value, low, high) in table.items()
        if (np.isfinite(value) & ~(np.isfinite(low) & np.isfinite(high))).any()
    ]
    if not without:
        return []
    why = "its record holds fewer than 20 days, or too few of the rains"
    return [Note(f"A hollow point has no interval, for {why}: {', '.join(without)}.")]


def _finite(data: xr.Dataset, name: str) -> dict[str, np.ndarray]:
    if name not in data:
        return {}
    lines = {str(run): data[name].sel(run=run).values for run in data.run.values}
    return {run: values for run, values in lines.items() if np.isfinite(values).any()}
