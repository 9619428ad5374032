"""Truth beside network: where the two climates differ, and what chance and null closures would give."""

import numpy as np
import xarray as xr

from parametra.report.figures.lines import Band, by_latitude
from parametra.report.figures.meridional import Scale
from parametra.report.figures.palette import label
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Part, Section, missing
from parametra.report.sections import zonal
from parametra.report.sections.chance import sample

TITLE = "Truth beside network"
LEAD = (
    "R1 and R2: the same zonal means from coupled runs with the network, or a conventional scheme, in the place of the "
    "cloud-resolving model. Fields share one colour scale, and so do differences; the last difference is that of the two halves "
    "of the truth, which sampling alone makes."
)
SHOWN = (zonal.HEATING, zonal.MOISTENING, zonal.TEMPERATURE, zonal.HUMIDITY, zonal.WIND)
CONVENTIONAL = "conventional"
PROFILES = (
    ("precipitation_flux", "Precipitation", "mm/day", zonal.DAY),
    ("evaporation_flux", "Evaporation", "mm/day", zonal.DAY),
    ("toa_outgoing_longwave_flux", "Outgoing long-wave radiation", "W/m²", 1.0),
    ("toa_net_downward_shortwave_flux", "Absorbed sunlight, top of atmosphere", "W/m²", 1.0),
    ("atmosphere_mass_content_of_water_vapor", "Precipitable water", "kg/m²", 1.0),
)


def section(run: RunReader) -> Section | None:
    """Sections truth, network, difference; profiles with the split-half band and the null closures."""
    data = run.fields("zonal")
    if data is None:
        return missing("comparison", TITLE, LEAD, run.why_missing("zonal"))
    network = zonal.the_network(data)
    if network is None or "truth" not in data.run.values:
        return missing(
            "comparison", TITLE, LEAD, "fields/zonal.zarr does not hold both truth and network: nothing to compare yet."
        )
    parts: list[Part] = []
    for quantity in SHOWN:
        parts += _sections(data, quantity, network)
    figures = []
    for name, title, unit, factor in PROFILES:
        lines = zonal.profiles(data, name, factor)
        if "truth" in lines and len(lines) > 1:
            drawing = by_latitude(
                data.latitude.values,
                lines,
                run.palette,
                title,
                unit,
                band=_halves(data, name, factor),
                from_zero=factor == zonal.DAY,
            )
            figures.append(Figure(drawing))
    if (net := _net(run, data)) is not None:
        figures.append(Figure(net))
    if figures:
        parts.append(Panels(tuple(figures), columns=2, title="By latitude, with split halves of the truth and null closures"))
    parts.append(
        Note(
            "The grey band lies between the two halves of the truth: a network inside it cannot be told from the truth by "
            "this record. "
            "Null closures are run in the very same way; a network has to be better than they are. "
            "One that leaves the frame ran away."
        )
    )
    means = ("tendency_of_air_temperature", "tendency_of_specific_humidity", "air_temperature", "specific_humidity",
             "precipitation_flux")  # fmt: skip
    parts += sample(run, *(f"{name}_rms" for name in means))
    return Section("comparison", TITLE, LEAD, tuple(parts))


def _sections(data: xr.Dataset, quantity: zonal.Quantity, network: str) -> list[Part]:
    """The fields of truth, network and conventional scheme in one row, their differences and that of the halves in the next."""
    names = ["truth", network, *([CONVENTIONAL] if CONVENTIONAL in data.run.values else [])]
    fields = {name: field for name in names if (field := zonal.values(data, quantity, name)) is not None}
    if "truth" not in fields or len(fields) < 2:
        return []
    scale = quantity.scale(*fields.values())
    differences = {f"{label(name)} − truth": field - fields["truth"] for name, field in fields.items() if name != "truth"}
    halves = [zonal.values(data, quantity, f"truth_{half}_half") for half in ("first", "second")]
    if halves[0] is not None and halves[1] is not None:
        differences["second − first half"] = halves[1] - halves[0]
    apart = Scale.around_zero(quantity.difference_cmap, *differences.values())
    drawings = [zonal.draw(data, quantity, field, scale, name) for name, field in fields.items()]
    drawings += [zonal.draw(data, quantity, field, apart, name) for name, field in differences.items()]
    columns = 3 if len(drawings) > 4 else 2
    return [Panels(tuple(Figure(drawing) for drawing in drawings), columns=columns)]


def _net(run: RunReader, data: xr.Dataset) -> str | None:
    """Absorbed sunlight less outgoing long-wave radiation: what each latitude has to import or export."""
    sun, out = (zonal.profiles(data, name) for name in ("toa_net_downward_shortwave_flux", "toa_outgoing_longwave_flux"))
    lines = {name: sun[name] - out[name] for name in sun if name in out}
    if "truth" not in lines:
        return None
    return by_latitude(data.latitude.values, lines, run.palette, "Net radiation, top of atmosphere, downward", "W/m²")


def _halves(data: xr.Dataset, name: str, factor: float) -> Band | None:
    halves = [zonal.profile(data, name, f"truth_{half}_half", factor) for half in ("first", "second")]
    if halves[0] is None or halves[1] is None:
        return None
    return np.minimum(halves[0], halves[1]), np.maximum(halves[0], halves[1]), "truth, split halves"
