"""R6 and R7: what a column does with the vapour it loses, and whether the whole atmosphere drifts."""

import numpy as np
import xarray as xr

from parametra.report.figures.lines import by_day
from parametra.report.figures.palette import label
from parametra.report.figures.scatter import density
from parametra.report.formatting import number
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Part, Section, Table, missing
from parametra.report.sections.chance import sample

TITLE = "Energy"
LEAD = (
    "R6: one point per column and step; latent heat that the column gave up beyond evaporation against the heat that it gained "
    "beyond surface and radiation. R7: energy and water of the mean column, day by day."
)
X, Y = "latent heat given up [W/m²]", "heat gained [W/m²]"


def section(run: RunReader) -> Section | None:
    """Densities of the scatter, slopes, and the global contents."""
    data, contents = run.fields("scatter"), run.fields("contents")
    if data is None and contents is None:
        return missing("energy", TITLE, LEAD, run.why_missing("scatter"))
    parts: list[Part] = []
    if data is not None:
        figures = []
        for name in map(str, data.run.values):
            values, slope, rms = data.density.sel(run=name).transpose("x", "y").values, *(
                float(data[key].sel(run=name)) for key in ("slope", "rms"))  # fmt: skip
            if np.isfinite(values).any():
                note = f"slope {slope:.3f}, rms of y − x {rms:.3g} W/m²"
                figures.append(Figure(density(data.x.values, np.nan_to_num(values), f"Columns, {label(name)}", X, Y, note)))
        parts.append(Panels(tuple(figures), columns=2))
        body = tuple(
            (label(str(name)), *(number(float(data[key].sel(run=name))) for key in ("slope", "rms", "mean")))
            for name in data.run.values
            if np.isfinite(float(data.slope.sel(run=name)))
        )
        head = ("energy scatter", "slope", "rms of y − x [W/m²]", "mean of y − x [W/m²]")
        caption = (
            "Snow, whose freezing heats, and in the truth water that stays in the air as cloud, are honest departures. Here the "
            "truth is the scoring stretch, which networks offline see too; what is below is of all truth."
        )
        parts += [Table(head, body, caption), *sample(run, "energy_slope")]
    if contents is not None:
        day = contents.day.values.astype(np.float64)
        figures = []
        for name, title, unit in (
            ("energy", "Energy of the mean column, less the truth's mean", "MJ/m²"),
            ("water", "Water of the mean column", "kg/m²"),
        ):
            lines = {str(item): contents[name].sel(run=item).values for item in contents.run.values}
            figures.append(Figure(by_day(day, lines, run.palette, title, unit)))
        lengths = ", ".join(f"{label(str(item))} {int(contents.energy.sel(run=item).count())}" for item in contents.run.values)
        text = f"Coupled runs take over from the truth on day 0. 1 MJ/m² over 100 days is 0.12 W/m². Days recorded: {lengths}."
        parts += [Panels(tuple(figures), columns=2, title="Contents of the whole atmosphere"), Note(text), *_drifts(contents)]
    return Section("energy", TITLE, LEAD, tuple(parts))


def _drifts(contents: xr.Dataset) -> list[Part]:
    """Drift of each run's energy with its verdict, and a warning for those too short; nothing of a store without verdicts."""
    if "drift_word" not in contents:
        return []
    rows, short = [], []
    for name in map(str, contents.run.values):
        one = contents.sel(run=name)
        drift, low, high = (float(one[key]) for key in ("drift", "drift_low", "drift_high"))
        interval = f"{number(low)} to {number(high)}" if np.isfinite(low) else "–"
        rows.append((label(name), number(drift), interval, str(one.drift_word.values), str(one.drift_why.values)))
        short += [label(name)] if str(one.drift_word.values) == "too short" else []
    parts: list[Part] = [Table(("drift of energy", "W/m²", "95 % interval", "sample", "because"), tuple(rows))]
    if short:
        text = f"Too short for a drift, what slopes here may be weather: {', '.join(short)}."
        parts.append(Note(text, "warning"))
    return parts
