"""The zonal means that several sections draw: units of display and colours, one place."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from parametra.report.figures.meridional import Scale, meridional_section
from parametra.report.figures.palette import is_network, label

DAY = 86400.0


@dataclass(frozen=True)
class Quantity:
    """A stored variable as it is shown: title, unit, factor, colours of the field and of differences."""

    name: str
    title: str
    unit: str
    factor: float
    cmap: str
    centred: bool
    difference_cmap: str

    def scale(self, *fields: np.ndarray) -> Scale:
        """One scale for all of the fields."""
        return Scale.around_zero(self.cmap, *fields) if self.centred else Scale.spanning(self.cmap, *fields)


TEMPERATURE = Quantity("air_temperature", "Temperature", "K", 1.0, "RdYlBu_r", False, "RdBu_r")
HUMIDITY = Quantity("specific_humidity", "Specific humidity", "g/kg", 1e3, "YlGnBu", False, "BrBG")
WIND = Quantity("eastward_wind", "Eastward wind", "m/s", 1.0, "PuOr_r", True, "PuOr_r")
HEATING = Quantity("tendency_of_air_temperature", "Heating", "K/day", DAY, "RdBu_r", True, "RdBu_r")
MOISTENING = Quantity("tendency_of_specific_humidity", "Moistening", "g/kg/day", 1e3 * DAY, "BrBG", True, "BrBG")


def values(zonal: xr.Dataset, quantity: Quantity, run: str) -> np.ndarray | None:
    """The quantity of a run in units of display (latitude, level); None where it is not stored."""
    if quantity.name not in zonal or run not in zonal.run.values:
        return None
    return zonal[quantity.name].sel(run=run).transpose("latitude", "level").values * quantity.factor


def draw(zonal: xr.Dataset, quantity: Quantity, field: np.ndarray, scale: Scale, run: str) -> str:
    """SVG of one section."""
    return meridional_section(
        zonal.latitude.values, zonal.level.values, field, scale, f"{quantity.title}, {label(run)}", quantity.unit
    )


def the_network(zonal: xr.Dataset) -> str | None:
    """The selected network: the run named network, else the first that is one."""
    runs = [str(name) for name in zonal.run.values]
    return "network" if "network" in runs else next((name for name in runs if is_network(name)), None)


def profile(zonal: xr.Dataset, name: str, run: str, factor: float = 1.0) -> np.ndarray | None:
    """A stored profile of a run (latitude,), times `factor`; None where it is not stored."""
    if name not in zonal or run not in zonal.run.values:
        return None
    return zonal[name].sel(run=run).values * factor


def profiles(zonal: xr.Dataset, name: str, factor: float = 1.0) -> dict[str, np.ndarray]:
    """A stored profile of all runs, halves of the truth left out."""
    runs = [str(run) for run in zonal.run.values if not str(run).startswith("truth_")]
    found = {run: profile(zonal, name, run, factor) for run in runs}
    return {run: values for run, values in found.items() if values is not None and np.isfinite(values).any()}
