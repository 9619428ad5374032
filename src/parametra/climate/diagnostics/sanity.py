"""Does the world deserve trust? What a terrestrial aquaplanet looks like, as figures with ranges, from a recorded dataset.

The record is read once, in blocks of time. A value that is not a number makes the figures that it belongs to no number.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.blocks import RunningMean, time_blocks
from parametra.climate.diagnostics.geometry import area_mean, layer_thickness, thickness_below, time_in_days
from parametra.climate.diagnostics.means import mass_weighted_mean
from parametra.climate.diagnostics.required import require
from parametra.climate.diagnostics.scoreboard import with_precipitation
from parametra.climate.diagnostics.zigzag import ZigzagSums, zigzag_share
from parametra.core.constants import LATENT_HEAT_CONDENSATION, SECONDS_PER_DAY

SUBTROPICS = (10.0, 42.0)  # degrees from the SST maximum where the dry belts are looked for
JET_SIGMA = (0.1, 0.6)  # between the stratosphere and the middle troposphere
JET_LATITUDES = (15.0, 65.0)
WINDS = ("eastward_wind", "northward_wind")
AVERAGED = (
    "precipitation_flux",
    "surface_temperature",
    "eastward_wind",
    "specific_humidity",
    "surface_upward_latent_heat_flux",
    "toa_outgoing_longwave_flux",
)
RAIN = ("precipitation_flux", "rainfall_flux")
NEEDED = (*(name for name in AVERAGED if name not in RAIN), RAIN, *WINDS, "air_temperature")
READ = (*AVERAGED, "rainfall_flux", "snowfall_flux", "northward_wind", "air_temperature")


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

    Raises:
        DataError: one of `NEEDED` is missing.

    Source of the ranges: the aquaplanets of Neale & Hoskins (2000, 10.1006/asle.2000.0022) and Andersen & Kuang (2012,
    10.1175/JCLI-D-11-00048.1), widened to what the coarse grid can show.
    """
    require(dataset, NEEDED)
    dataset = dataset[[name for name in READ if name in dataset]]
    running, temperature = RunningMean(["time", "longitude"]), ZigzagSums(["latitude", "level"])
    eddies, warmth = _EddySums(), []
    for block in time_blocks(dataset):
        block = with_precipitation(block)
        running.add(block[list(AVERAGED)])
        eddies.add(block)
        temperature.add(block.air_temperature)
        warmth.append(_mean_temperature(block.air_temperature))
    mean = running.mean()
    rain, evaporation = mean.precipitation_flux, mean.surface_upward_latent_heat_flux / LATENT_HEAT_CONDENSATION
    return [
        *rain_checks(rain, mean.surface_temperature),
        *jet_checks(mean.eastward_wind),
        Check("eddy kinetic energy", eddies.energy(), "m2 s-2", 8.0, np.inf),
        Check("humidity relative to the layer below, largest", humidity_ratio(mean.specific_humidity), "1", 0.0, 1.0),
        Check("precipitation", float(area_mean(rain)) * SECONDS_PER_DAY, "mm/day", 2.5, 4.0),
        Check("evaporation", float(area_mean(evaporation)) * SECONDS_PER_DAY, "mm/day", 2.5, 4.0),
        Check("outgoing long-wave radiation", float(area_mean(mean.toa_outgoing_longwave_flux)), "W m-2", 210.0, 260.0),
        *zigzag_checks(temperature, rain),
        Check("temperature drift", abs(_slope(time_in_days(dataset.time), np.concatenate(warmth))), "K/day", 0.0, 0.02),
    ]


def rain_checks(precipitation: xr.DataArray, sst: xr.DataArray) -> list[Check]:
    """Rain belt within one row of the warmest water, a dry belt on each side of it; means (latitude,) [kg m-2 s-1], [K]."""
    rain = precipitation * SECONDS_PER_DAY
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
    require(dataset, WINDS)
    sums = _EddySums()
    for block in time_blocks(dataset[list(WINDS)]):
        sums.add(block)
    return sums.energy()


class _EddySums:
    """Squares of the winds' eddies, summed over time and longitude of blocks on one grid."""

    def __init__(self) -> None:
        self.samples, self.total, self.grid = 0, np.zeros(()), xr.DataArray()

    def add(self, block: xr.Dataset) -> None:
        for name in WINDS:
            field = block[name].transpose("time", "latitude", "longitude", "level")
            self.grid = field.isel(time=0, longitude=0, drop=True)
            for step in field.values:  # one fits into a processor's cache
                eddy = step - step.mean(axis=1, keepdims=True, dtype=np.float64)
                self.total = self.total + np.square(eddy).sum(axis=1)
        self.samples += block.sizes["time"] * block.sizes["longitude"]

    def energy(self) -> float:
        return float(mass_weighted_mean(self.grid.copy(data=0.5 * self.total / self.samples), top=0.0))


def humidity_ratio(humidity: xr.DataArray) -> float:
    """Largest q_k / q_(k+1) of the global mean profile from 180 hPa to the surface: below 1 where humidity falls with height."""
    profile = area_mean(humidity.mean([name for name in ("time",) if name in humidity.dims]))
    inside = thickness_below(humidity.level).values > 0
    ratio = profile.values[:-1] / profile.values[1:]
    return float(ratio[inside[:-1]].max())


def zigzag_checks(temperature: ZigzagSums, rain: xr.DataArray) -> list[Check]:
    """Two-row and two-level zig-zag of temperature, and two-row of mean rain outside its belt, whose one-row peak is physical.

    Args:
        temperature: the record's, summed along latitude and level.
        rain: its mean over time and longitude, (latitude,).
    """
    belt = int(rain.values.argmax())
    outside = xr.DataArray(abs(np.arange(rain.size) - belt) > 1, dims="latitude", coords={"latitude": rain.latitude})
    shares = {
        "two-row zig-zag of temperature": temperature.share("latitude"),
        "two-level zig-zag of temperature": temperature.share("level"),
        "two-row zig-zag of precipitation": zigzag_share(rain, "latitude", outside),
    }
    return [Check(f"{name}, share of variance", share, "1", 0.0, 0.05) for name, share in shares.items()]


def temperature_trend(dataset: xr.Dataset) -> float:
    """Slope of the least-squares line through the mass-weighted mean temperature of the whole atmosphere [K/day]."""
    require(dataset, ["air_temperature"])
    series = [_mean_temperature(block.air_temperature) for block in time_blocks(dataset[["air_temperature"]])]
    return _slope(time_in_days(dataset.time), np.concatenate(series))


def _mean_temperature(temperature: xr.DataArray) -> np.ndarray:
    """Mean over sphere and mass at every step, (time,) [K]."""
    zonal = temperature.mean("longitude", skipna=False, dtype=np.float64)
    return (area_mean(zonal) * layer_thickness(zonal.level)).sum("level", skipna=False).values


def _slope(days: np.ndarray, series: np.ndarray) -> float:
    return float(np.polyfit(days - days.mean(), series, 1)[0]) if days.size > 1 else float("nan")


def _parabola_peak(x: np.ndarray, y: np.ndarray) -> float:
    k = int(np.clip(np.argmax(y), 1, y.size - 2))
    a, b, _ = np.polyfit(x[k - 1 : k + 2], y[k - 1 : k + 2], 2)
    return float(-b / (2 * a)) if a < 0 else float(x[np.argmax(y)])
