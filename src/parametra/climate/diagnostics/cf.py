"""Any CF-named dataset in the terms of the diagnostics: dimensions by their role, variables by standard name, units in SI.

`from_cf` reads what other models write (lat, lon, plev or a sigma level; ta, hus, pr; mm day-1, hPa, degC) and returns a dataset
whose dimensions are time, latitude, longitude, level, and whose variables have their CF standard names, in SI units.
"""

import numpy as np
import xarray as xr

from parametra.core.constants import REFERENCE_PRESSURE
from parametra.core.errors import DataError
from parametra.store.variables import VARIABLES

# what is called otherwise than its standard name in the diagnostics
SYNONYMS = {
    "air_pressure_at_surface": "surface_air_pressure",
    "lwe_precipitation_rate": "precipitation_flux",
    "atmosphere_water_vapor_content": "atmosphere_mass_content_of_water_vapor",
    "atmosphere_mass_content_of_water": "atmosphere_mass_content_of_water_vapor",
    "toa_net_upward_longwave_flux": "toa_outgoing_longwave_flux",
}
# unit -> the SI unit as the registry of stored variables writes it, factor and offset; a millimetre of water is 1 kg m-2
UNITS = {
    "degC": ("K", 1.0, 273.15), "celsius": ("K", 1.0, 273.15),
    "hPa": ("Pa", 100.0, 0.0), "mbar": ("Pa", 100.0, 0.0), "mb": ("Pa", 100.0, 0.0),
    "millibar": ("Pa", 100.0, 0.0), "millibars": ("Pa", 100.0, 0.0),
    "kg kg-1": ("1", 1.0, 0.0), "kg/kg": ("1", 1.0, 0.0), "g kg-1": ("1", 1e-3, 0.0), "g/kg": ("1", 1e-3, 0.0),
    "m/s": ("m s-1", 1.0, 0.0), "m s**-1": ("m s-1", 1.0, 0.0), "W/m2": ("W m-2", 1.0, 0.0), "W m**-2": ("W m-2", 1.0, 0.0),
    "mm": ("kg m-2", 1.0, 0.0), "mm s-1": ("kg m-2 s-1", 1.0, 0.0), "mm/s": ("kg m-2 s-1", 1.0, 0.0),
    "mm day-1": ("kg m-2 s-1", 1 / 86400.0, 0.0), "mm/day": ("kg m-2 s-1", 1 / 86400.0, 0.0),
    "mm d-1": ("kg m-2 s-1", 1 / 86400.0, 0.0), "mm hr-1": ("kg m-2 s-1", 1 / 3600.0, 0.0), "m s-1": ("kg m-2 s-1", 1e3, 0.0),
    "K/s": ("K s-1", 1.0, 0.0), "K day-1": ("K s-1", 1 / 86400.0, 0.0), "K/day": ("K s-1", 1 / 86400.0, 0.0),
    "kg kg-1 s-1": ("s-1", 1.0, 0.0), "kg/kg/s": ("s-1", 1.0, 0.0), "g kg-1 day-1": ("s-1", 1e-3 / 86400.0, 0.0),
}  # fmt: skip
NAMES = {
    "time": ("time",),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon"),
    "level": ("level", "lev", "plev", "sigma", "pressure"),
}
STANDARD = {"time": ("time",), "latitude": ("latitude",), "longitude": ("longitude",),
            "level": ("atmosphere_sigma_coordinate", "air_pressure")}  # fmt: skip
AXES = {"time": "T", "latitude": "Y", "longitude": "X", "level": "Z"}


def from_cf(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset in the terms of the diagnostics.

    Dimensions are found by standard name, axis, or usual short name; variables are renamed to their standard name where they have
    one and keep their name otherwise. Levels are put in order, top first; pressure levels become p / 1000 hPa, their layers
    reaching to the middles between them. A dataset without surface pressure gets 1000 hPa, the attribute saying so.

    Args:
        dataset: any, lazily read or not.

    Raises:
        DataError: no latitude, two variables of one standard name, or a known variable in a unit that is not.
    """
    found = {role: _dimension(dataset, role) for role in NAMES}
    if found["latitude"] is None:
        raise DataError(
            "The dataset has no latitude. Likely cause: an unstructured grid, or a coordinate without standard_name and axis. "
            "Remedy: interpolate to latitude and longitude, or name the coordinate."
        )
    renamed = {name: role for role, name in found.items() if name is not None and name != role}
    dataset = dataset.rename(renamed)
    if "level" in dataset.dims:
        dataset = _with_levels(dataset)
    names = {str(name): _name(dataset, str(name)) for name in dataset.data_vars}
    twice = sorted({name for name in names.values() if list(names.values()).count(name) > 1})
    if twice:
        raise DataError(f"Two variables are {twice[0]}. Remedy: drop one of them, or its standard_name.")
    result = xr.Dataset(
        {names[str(name)]: _si(names[str(name)], dataset[name]) for name in dataset.data_vars}, attrs=dataset.attrs
    )
    if "level" in result.dims and "surface_air_pressure" not in result:
        # bounds of the levels have levels too, but no columns
        columns = (result[name] for name in result.data_vars if {"level", "latitude"} <= set(result[name].dims))
        if (like := next(columns, None)) is not None:
            assumed = xr.full_like(like.isel(level=0, drop=True), REFERENCE_PRESSURE, np.float64)
            assumed.attrs = {"units": "Pa", "comment": "assumed: the dataset holds none"}
            result["surface_air_pressure"] = assumed
    return result


def _dimension(dataset: xr.Dataset, role: str) -> str | None:
    """The dimension in this role: by standard name, then by axis, then by name."""
    dims = [str(name) for name in dataset.dims]
    attributes = {name: dataset[name].attrs if name in dataset.coords else {} for name in dims}
    for test in (
        lambda name: attributes[name].get("standard_name") in STANDARD[role],
        lambda name: attributes[name].get("axis") == AXES[role],
        lambda name: name.lower() in NAMES[role],
    ):
        if hits := [name for name in dims if test(name)]:
            return hits[0]
    return None


def _with_levels(dataset: xr.Dataset) -> xr.Dataset:
    level = dataset["level"]
    unit = str(level.attrs.get("units", "1"))
    scale = 1.0 if unit == "Pa" else UNITS[unit][1] if UNITS.get(unit, ("",))[0] == "Pa" else None
    if scale is not None:
        values = level.values.astype(np.float64) * scale / REFERENCE_PRESSURE
        attributes = {"standard_name": "air_pressure", "units": "1", "long_name": "pressure over 1000 hPa", "axis": "Z"}
        dataset = dataset.assign_coords(level=("level", values, attributes))
    return dataset.sortby("level")


def _name(dataset: xr.Dataset, name: str) -> str:
    standard = str(dataset[name].attrs.get("standard_name", name))
    return SYNONYMS.get(standard, standard)


def _si(name: str, field: xr.DataArray) -> xr.DataArray:
    """The field in the unit of the registry; fields that the registry does not know, and bare numbers, as they are."""
    unit = str(field.attrs.get("units", "")).strip()
    if name not in VARIABLES or not unit or unit == VARIABLES[name].units:
        return field
    target, factor, offset = UNITS.get(unit, ("", 1.0, 0.0))
    if target != VARIABLES[name].units:
        raise DataError(f'{name} comes in "{unit}", not {VARIABLES[name].units}. Remedy: convert it first.')
    changed = field if (factor, offset) == (1.0, 0.0) else field.astype(np.float64) * factor + offset
    return changed.assign_attrs({**field.attrs, "units": target})
