"""Does the world deserve trust? What a terrestrial aquaplanet looks like, as figures with ranges, from a recorded dataset."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.geometry import area_mean, layer_thickness, thickness_below, time_in_days
from parametra.climate.diagnostics.means import mass_weighted_mean, with_derived
from parametra.climate.diagnostics.zigzag import zigzag_share
from parametra.core.constants import SECONDS_PER_DAY

SUBTROPICS = (10.0, 42.0)  # degrees from the SST maximum where the dry belts are looked for
JET_SIGMA = (0.1, 0.6)  # between the stratosphere and the middle troposphere
JET_LATITUDES = (15.0, 65.0)


@dataclass(frozen=True)
class Check:
    """One figure of the world and the range it should be in.

    Attributes:
        name: what was measured, in words.
        value: the figure, NaN where the record cannot give it.
        unit: as a reader writes it.
        low: smallest good value.
        high: largest good value; infinity where only the lower bound is asked.
    """

    name: str
    value: float
    unit: str
    low: float
    high: float

    @property
    def passed(self) -> bool:
        """Whether the value is in its range; NaN is not."""
        return bool(self.low <= self.value <= self.high)


def world_checks(dataset: xr.Dataset) -> list[Check]:
    """Checks of a recorded run after spin-up, of at least a few days.

    Args:
        dataset: state, fluxes and surface_temperature, dims (time, latitude, longitude[, level]), CF names, SI.

    Source of the ranges: the aquaplanets of Neale & Hoskins (2000, 10.1006/asle.2000.0022) and Andersen & Kuang (2012,
    10.1175/JCLI-D-11-00048.1), widened to what the coarse grid can show.
    """
    dataset = with_derived(dataset)
    wind = dataset.eastward_wind.mean(["time", "longitude"])
    return [
        *rain_checks(dataset),
        *jet_checks(wind),
        Check("eddy kinetic energy", eddy_kinetic_energy(dataset), "m2 s-2", 8.0, np.inf),
        Check("humidity relative to the layer below, largest", humidity_ratio(dataset.specific_humidity), "1", 0.0, 1.0),
        Check("precipitation", _global(dataset.precipitation_flux) * SECONDS_PER_DAY, "mm/day", 2.5, 4.0),
        Check("evaporation", _global(dataset.evaporation_flux) * SECONDS_PER_DAY, "mm/day", 2.5, 4.0),
        Check("outgoing long-wave radiation", _global(dataset.toa_outgoing_longwave_flux), "W m-2", 210.0, 260.0),
        *zigzag_checks(dataset),
        Check("temperature drift", abs(temperature_trend(dataset)), "K/day", 0.0, 0.02),
    ]


def rain_checks(dataset: xr.Dataset) -> list[Check]:
    """Rain belt within one row of the warmest water; a dry belt on each side of it."""
    rain = dataset.precipitation_flux.mean(["time", "longitude"]) * SECONDS_PER_DAY
    sst = dataset.surface_temperature.mean([name for name in ("time", "longitude") if name in dataset.surface_temperature.dims])
    latitude = rain.latitude.values.astype(np.float64)
    # the SST maximum lies between rows: a parabola through the three warmest rows places it
    warmest = _parabola_peak(latitude, sst.values)
    row = float(np.max(np.abs(np.diff(latitude))))
    wettest = float(latitude[int(rain.values.argmax())])
    checks = [Check("rain belt, distance from the SST maximum", abs(wettest - warmest), "degrees", 0.0, row)]
    for name, side in (("northern", latitude - warmest), ("southern", warmest - latitude)):
        belt = rain.values[(side >= SUBTROPICS[0]) & (side <= SUBTROPICS[1])]
        checks.append(Check(f"{name} subtropical minimum of precipitation", float(belt.min(initial=np.inf)), "mm/day", 0.0, 1.0))
    return checks


def jet_checks(wind: xr.DataArray) -> list[Check]:
    """Speed and latitude of the strongest zonal-mean westerly between JET_SIGMA, for `wind` (latitude, level) [m s-1]."""
    aloft = wind.where((wind.level >= JET_SIGMA[0]) & (wind.level <= JET_SIGMA[1]), drop=True).max("level")
    checks = []
    for name, poleward in (("northern", aloft.latitude), ("southern", -aloft.latitude)):
        band = aloft.where((poleward >= JET_LATITUDES[0]) & (poleward <= JET_LATITUDES[1]), drop=True)
        strongest = int(band.values.argmax())
        checks.append(Check(f"{name} jet, speed", float(band[strongest]), "m/s", 30.0, 60.0))
        checks.append(Check(f"{name} jet, latitude", float(abs(band.latitude[strongest])), "degrees", 25.0, 45.0))
    return checks


def eddy_kinetic_energy(dataset: xr.Dataset) -> float:
    """Mass-weighted mean of (u*^2 + v*^2)/2 [m2 s-2], * the deviation from the momentary zonal mean (travelling and standing)."""
    energy = 0.5 * sum(
        (dataset[name].astype(np.float64) - dataset[name].mean("longitude")) ** 2 for name in ("eastward_wind", "northward_wind")
    )
    energy = energy.mean(["time", "longitude"])  # pyright: ignore[reportAttributeAccessIssue]
    return float(mass_weighted_mean(energy, top=0.0))


def humidity_ratio(humidity: xr.DataArray) -> float:
    """Largest q_k / q_(k+1) of the global mean profile from 180 hPa to the surface: below 1 where humidity falls with height."""
    profile = area_mean(humidity.mean("time"))
    inside = thickness_below(humidity.level).values > 0
    ratio = profile.values[:-1] / profile.values[1:]
    return float(ratio[inside[:-1]].max())


def zigzag_checks(dataset: xr.Dataset) -> list[Check]:
    """Two-row and two-level zig-zag of temperature, and two-row of mean rain outside its belt, whose one-row peak is physical."""
    rain = dataset.precipitation_flux.mean(["time", "longitude"])
    belt = int(rain.values.argmax())
    outside = xr.DataArray(abs(np.arange(rain.size) - belt) > 1, dims="latitude", coords={"latitude": rain.latitude})
    shares = {
        "two-row zig-zag of temperature": zigzag_share(dataset.air_temperature, "latitude"),
        "two-level zig-zag of temperature": zigzag_share(dataset.air_temperature, "level"),
        "two-row zig-zag of precipitation": zigzag_share(rain, "latitude", outside),
    }
    return [Check(f"{name}, share of variance", share, "1", 0.0, 0.05) for name, share in shares.items()]


def temperature_trend(dataset: xr.Dataset) -> float:
    """Slope of the least-squares line through the mass-weighted mean temperature of the whole atmosphere [K/day]."""
    series = (area_mean(dataset.air_temperature) * layer_thickness(dataset.level)).sum("level").values
    days = time_in_days(dataset.time)
    return float(np.polyfit(days - days.mean(), series, 1)[0]) if days.size > 1 else float("nan")


def _global(field: xr.DataArray) -> float:
    return float(area_mean(field.mean("time")))


def _parabola_peak(x: np.ndarray, y: np.ndarray) -> float:
    k = int(np.clip(np.argmax(y), 1, y.size - 2))
    a, b, _ = np.polyfit(x[k - 1 : k + 2], y[k - 1 : k + 2], 2)
    return float(-b / (2 * a)) if a < 0 else float(x[np.argmax(y)])
