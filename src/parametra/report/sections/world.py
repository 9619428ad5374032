"""The world: what the truth looks like, before anything is compared with it."""

import numpy as np

from parametra.report.figures.lines import by_latitude
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Part, Section, missing
from parametra.report.sections import maps, zonal

TITLE = "The world"
LEAD = (
    "Time and zonal mean of the truth: a planet of water under a fixed sea-surface temperature, with a cloud-resolving model in "
    "every column. A world that is wrong teaches a network to be wrong, so look here first."
)
SHOWN = (zonal.TEMPERATURE, zonal.HUMIDITY, zonal.WIND, zonal.HEATING, zonal.MOISTENING)


def section(run: RunReader) -> Section | None:
    """Sections of temperature, humidity, wind, heating, moistening; rain with the water below it; maps of rain."""
    data = run.fields("zonal")
    if data is None or "truth" not in data.run.values:
        reason = run.why_missing("zonal") if data is None else "The truth is not in fields/zonal.zarr."
        slider = maps.slider(run)
        return missing("world", TITLE, LEAD, reason) if slider is None else Section("world", TITLE, LEAD, (slider,))
    figures = []
    for quantity in SHOWN:
        field = zonal.values(data, quantity, "truth")
        if field is not None:
            figures.append(Figure(zonal.draw(data, quantity, field, quantity.scale(field), "truth")))
    rain = zonal.profile(data, "precipitation_flux", "truth", zonal.DAY)
    if rain is not None:
        sst = zonal.profile(data, "surface_temperature", "truth")
        second = None if sst is None else (np.asarray(sst) - 273.15, "sea-surface temperature [°C]")
        drawing = by_latitude(
            data.latitude.values, {"truth": rain}, run.palette, "Precipitation, truth", "mm/day", second=second, from_zero=True
        )
        figures.append(Figure(drawing))
    parts: list[Part] = [Panels(tuple(figures))]
    parts += [slider] if (slider := maps.slider(run)) is not None else []
    return Section("world", TITLE, LEAD, tuple(parts))
