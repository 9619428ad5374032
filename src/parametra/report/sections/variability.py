"""R4: how lively heating and moistening are, by latitude and level."""

import numpy as np
import xarray as xr

from parametra.report.figures.lines import by_level
from parametra.report.figures.meridional import Scale, meridional_section
from parametra.report.figures.palette import label
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Part, Section, missing
from parametra.report.sections import zonal
from parametra.report.sections.chance import sample

TITLE = "Variability"
LEAD = (
    "R4. Standard deviation of single-step heating and moistening about their mean over time and longitude. A deterministic "
    "network must fall short of the truth where the truth is noise: on the truth's own columns the ratio of a least-squares fit "
    "is about the square root of its R²."
)
SHOWN = (zonal.HEATING, zonal.MOISTENING)
ORDER = ("truth", "network", "stochastic", "conventional", "network_offline")


def section(run: RunReader) -> Section | None:
    """Sections of the standard deviation side by side, and its ratio to the truth by level."""
    data = run.fields("deviation")
    if data is None:
        return missing("variability", TITLE, LEAD, run.why_missing("deviation"))
    parts: list[Part] = []
    ratios = []
    for quantity in SHOWN:
        fields = _fields(data, quantity)
        if "truth" not in fields:
            continue
        scale = Scale("YlOrRd", Scale.spanning("YlOrRd", np.array([0.0]), *fields.values()).levels, False)
        drawings = [
            meridional_section(
                data.latitude.values, data.level.values, field, scale, f"{quantity.title}, std, {label(name)}", quantity.unit
            )
            for name, field in fields.items()
            if name in ORDER
        ]
        parts.append(Panels(tuple(Figure(drawing) for drawing in drawings)))
        ratios.append(_ratio(run, data, quantity, fields))
    if ratios:
        parts.append(Panels(tuple(Figure(drawing) for drawing in ratios), columns=2, title="By level, over the truth"))
    parts += sample(run, *(f"deviation_{quantity.name}" for quantity in SHOWN))
    if "network" not in _fields(data, SHOWN[0]):
        text = (
            "The coupled run was recorded before squares of single steps were kept: its network is shown on the truth's columns."
        )
        parts.append(Note(text))
    return Section("variability", TITLE, LEAD, tuple(parts))


def _fields(data: xr.Dataset, quantity: zonal.Quantity) -> dict[str, np.ndarray]:
    name = f"deviation_{quantity.name}"
    if name not in data:
        return {}
    names = sorted(map(str, data.run.values), key=lambda run: ORDER.index(run) if run in ORDER else len(ORDER))
    fields = {run: data[name].sel(run=run).transpose("latitude", "level").values * quantity.factor for run in names}
    return {run: field for run, field in fields.items() if np.isfinite(field).any()}


def _ratio(run: RunReader, data: xr.Dataset, quantity: zonal.Quantity, fields: dict[str, np.ndarray]) -> str:
    """Roots of area-mean variances over the truth's, by level; halves of the truth as the band."""
    weight = np.cos(np.radians(data.latitude.values))[:, None]
    level = {name: np.sqrt((weight * field**2).sum(0) / weight.sum()) for name, field in fields.items()}
    truth = np.where(level["truth"] > 0.01 * level["truth"].max(), level["truth"], np.nan)
    lines = {name: values / truth for name, values in level.items() if name in ORDER and name != "truth"}
    halves = [level[name] / truth for name in ("truth_first_half", "truth_second_half") if name in level]
    band = (np.minimum(*halves), np.maximum(*halves), "truth, split halves") if len(halves) == 2 else None
    return by_level(
        data.level.values, lines, run.palette, f"{quantity.title}: std over the truth's", xlabel="ratio of standard deviations",
        limits=(0.0, 1.5), band=band, band_centre=np.ones_like(truth),
    )  # fmt: skip
