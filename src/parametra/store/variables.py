"""The names on disk: each output variable with its unit, its long name and its CF standard name.

Standard names and canonical units: CF standard name table; fluxes are positive in the direction that the name says.
"""

from typing import NamedTuple


class Variable(NamedTuple):
    """How a stored variable describes itself: UDUNITS text, words, and the CF standard name where there is one."""

    units: str
    long_name: str
    standard_name: str | None = None

    def attributes(self) -> dict[str, str]:
        """As CF attributes."""
        attributes = {"units": self.units, "long_name": self.long_name}
        return attributes | ({"standard_name": self.standard_name} if self.standard_name else {})


def _cf(name: str, units: str, long_name: str = "") -> tuple[str, Variable]:
    """A variable that carries its CF standard name as its own name."""
    return name, Variable(units, long_name or name.replace("_", " "), name)


def _ours(name: str, units: str, long_name: str = "") -> tuple[str, Variable]:
    """A variable that the CF table does not know."""
    return name, Variable(units, long_name or name.replace("_", " "))


VARIABLES: dict[str, Variable] = dict(
    [
        _cf("air_temperature", "K"),
        _cf("specific_humidity", "1"),
        _cf("eastward_wind", "m s-1"),
        _cf("northward_wind", "m s-1"),
        _cf("surface_air_pressure", "Pa"),
        _cf("surface_temperature", "K"),
        _cf("tendency_of_air_temperature", "K s-1", "tendency of air temperature by the closure"),
        _cf("tendency_of_specific_humidity", "s-1", "tendency of specific humidity by the closure"),
        _cf("toa_incoming_shortwave_flux", "W m-2"),
        _cf("toa_net_downward_shortwave_flux", "W m-2"),
        _cf("toa_outgoing_longwave_flux", "W m-2"),
        _cf("surface_net_downward_shortwave_flux", "W m-2"),
        _cf("surface_net_upward_longwave_flux", "W m-2"),
        _cf("surface_upward_sensible_heat_flux", "W m-2"),
        _cf("surface_upward_latent_heat_flux", "W m-2"),
        _cf("precipitation_flux", "kg m-2 s-1"),
        _cf("rainfall_flux", "kg m-2 s-1"),
        _cf("snowfall_flux", "kg m-2 s-1"),
        _ours("evaporation_flux", "kg m-2 s-1", "evaporation from the surface"),
        _cf("atmosphere_mass_content_of_water_vapor", "kg m-2", "precipitable water"),
        _cf("atmosphere_mass_content_of_cloud_condensed_water", "kg m-2"),
        _ours("atmosphere_mass_content_of_precipitating_water", "kg m-2"),
        _ours("precipitable_water", "kg m-2"),
        _ours("mean_temperature", "K", "mass-weighted mean temperature below 180 hPa"),
        _ours("zonal_temperature_rms", "K", "rms difference of zonal-mean temperature from the truth"),
        _ours("rain_profile_r", "1", "correlation of zonal-mean precipitation with the truth"),
    ]
)

COORDINATES: dict[str, dict[str, str]] = {
    "time": {
        "standard_name": "time", "long_name": "simulated time", "axis": "T",
        "units": "days since 0001-01-01 00:00:00", "calendar": "360_day",
    },
    "latitude": {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"},
    "longitude": {"standard_name": "longitude", "units": "degrees_east", "axis": "X"},
    "level": {
        "standard_name": "atmosphere_sigma_coordinate", "long_name": "sigma at layer middles", "units": "1", "axis": "Z",
        "positive": "down", "formula_terms": "sigma: level ps: surface_air_pressure",
    },
}  # fmt: skip


def attributes(name: str) -> dict[str, str]:
    """CF attributes of the variable or coordinate `name`; empty for a name that the registry does not know."""
    if name in COORDINATES:
        return dict(COORDINATES[name])
    return VARIABLES[name].attributes() if name in VARIABLES else {}
