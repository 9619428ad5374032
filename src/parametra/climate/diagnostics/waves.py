"""Wavenumber-frequency spectra of tropical rain (Wheeler & Kiladis 1999), and the scores that are taken from them.

A field x(t, latitude, longitude) near the equator is split into a part symmetric about it, (x(y) + x(-y))/2, and an antisymmetric
one, (x(y) - x(-y))/2. Each is cut into overlapping windows, and each window, less its trend and tapered, is turned into
waves cos(k lambda - 2 pi f t) with k > 0 eastward:

    P(f, k) = mean over windows and rows of |FFT(x)|^2 / (samples x longitudes)^2.

Power divided by a smooth background shows what is organised. The height of a peak depends on taper and smoothing, so ratios may
only be compared where one recipe made both; `WaveRecipe` holds every choice.

Sources: Wheeler & Kiladis 1999, 10.1175/1520-0469(1999)056<0374:CCEWAO>2.0.CO;2; band boxes of Kiladis et al. 2009,
10.1029/2008RG000266.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.geometry import step_in_hours, time_in_days
from parametra.core.errors import DataError, UsageError

KEPT_WAVENUMBER = 27  # waves beyond are left out of smoothing and result
PASSES = ((0.1, 5), (0.2, 10), (0.3, 20), (np.inf, 40))  # 1-2-1 passes in wavenumber below each frequency [cycles/day]
FREQUENCY_PASSES = 10
SMOOTHED_BELOW = 0.8  # cycles/day: the background is smoothed in frequency up to here
LEAST_WINDOWS = 10  # below this no wave is claimed


@dataclass(frozen=True)
class WaveRecipe:
    """How a spectrum is made.

    Attributes:
        window_days: length of a window.
        advance_days: from the start of one window to the next (the skip of other codes is this less the length).
        latitude_bound: rows within so many degrees of the equator count.
        taper: "cosine" (`taper_share` of the window at both ends together), "hann", or a function of the number of samples.
        taper_share: see there.
        equator: whether a row on the equator joins the symmetric part ("symmetric", at half a pair's weight) or is left out.
        high_pass_from: records of at least so many days lose all frequencies up to one cycle per window; None never.
        smooth_frequency: one 1-2-1 pass of the power along frequency.
    """

    window_days: float | int = 96.0
    advance_days: float | int = 31.0
    latitude_bound: float | int = 15.0
    taper: Literal["cosine", "hann"] | Callable[[int], np.ndarray] = "cosine"
    taper_share: float = 0.1
    equator: Literal["symmetric", "exclude"] = "symmetric"
    high_pass_from: float | int | None = 365.0
    smooth_frequency: bool = True

    def __post_init__(self) -> None:
        if self.window_days <= 0 or self.advance_days <= 0 or not 0 < self.taper_share <= 1 or self.latitude_bound <= 0:
            raise UsageError(
                "A wave recipe needs positive window_days, advance_days and latitude_bound, and a taper_share in (0, 1]. "
                "Remedy: where another code states a negative skip, advance_days is window_days plus that skip."
            )

    def window(self, samples: int) -> np.ndarray:
        """The taper (samples,)."""
        if callable(self.taper):
            return np.asarray(self.taper(samples), np.float64)
        if self.taper == "hann":
            return np.hanning(samples)
        ends = max(int(self.taper_share * samples / 2), 1)
        rise = 0.5 * (1.0 - np.cos(np.pi * (np.arange(ends) + 0.5) / ends))
        return np.concatenate([rise, np.ones(samples - 2 * ends), rise[::-1]])


def window_count(days: float | int, recipe: WaveRecipe | None = None) -> int:
    """Windows that fit a record of so many days."""
    recipe = recipe or WaveRecipe()
    return max(int((days - recipe.window_days) / recipe.advance_days + 1e-9) + 1, 0) if days >= recipe.window_days else 0


def wave_spectrum(field: xr.DataArray, recipe: WaveRecipe | None = None) -> xr.Dataset:
    """Power of the symmetric and antisymmetric part, and their background.

    Args:
        field: any unit u, dims (time, latitude, longitude); evenly spaced times, evenly spaced longitudes of the whole circle in
            any order, rows in pairs y and -y.
        recipe: every choice; that of the module where None.

    Returns:
        symmetric, antisymmetric, background [u2], dims (frequency, wavenumber), two-sided (not doubled) and without correction
        for the taper; frequency > 0 [cycles/day], wavenumber > 0 eastward; attribute `windows`.

    Raises:
        DataError: no pair of rows within the bound, uneven times or longitudes, missing values, or a record shorter than one
            window.
    """
    recipe = recipe or WaveRecipe()
    field = _around(field.transpose("time", "latitude", "longitude"))
    _refuse_gaps(field.time)
    per_day = 24.0 / step_in_hours(field.time)
    values, samples = field.values.astype(np.float64), round(recipe.window_days * per_day)
    if not np.isfinite(values).all():
        raise DataError("A spectrum needs a field without gaps. Remedy: fill or cut them first.")
    if values.shape[0] < samples:
        raise DataError(
            f"A record of {values.shape[0] / per_day:g} days has no window of {recipe.window_days:g}. "
            "Remedy: a longer record, or a recipe with shorter windows (which cannot show slow waves)."
        )
    values = _detrended(values, keep_mean=True)
    if recipe.high_pass_from is not None and values.shape[0] >= recipe.high_pass_from * per_day:
        values = _high_passed(values, per_day, 1.0 / recipe.window_days)
    rows = _hemispheres(values, np.asarray(field.latitude, np.float64), recipe)
    advance = max(round(recipe.advance_days * per_day), 1)
    starts = range(0, values.shape[0] - samples + 1, advance)
    raw = {name: _power(part, weight, samples, starts, recipe) for name, (part, weight) in rows.items()}
    frequency = np.arange(1, samples // 2 + 1) * per_day / samples
    smooth = {name: _once(power, 0) if recipe.smooth_frequency else power for name, power in raw.items()}
    # the equator row, if it counts, is in the symmetric part only; the background is of pairs alone, as both parts are
    pairs = _hemispheres(values, np.asarray(field.latitude, np.float64), recipe, with_equator=False)
    symmetric = raw["symmetric"]
    if rows["symmetric"][0].shape != pairs["symmetric"][0].shape:
        symmetric = _power(*pairs["symmetric"], samples, starts, recipe)
    background = _background(0.5 * (symmetric + raw["antisymmetric"]), frequency)
    return _dataset({**smooth, "background": background}, frequency, values.shape[2], len(starts))


def _refuse_gaps(time: xr.DataArray) -> None:
    steps = np.diff(time_in_days(time))
    if steps.size and not np.all(np.abs(steps - np.median(steps)) < 0.1 * np.median(steps)):
        raise DataError(
            f"A spectrum needs evenly spaced times, these are {24.0 * steps.min():g} to {24.0 * steps.max():g} h apart. "
            "Likely cause: a gap, or records of other steps put together. Remedy: an even stretch, or means over even windows."
        )


def _around(field: xr.DataArray) -> xr.DataArray:
    """The field with its longitudes in ascending order, once around."""
    if "longitude" not in field.coords:
        return field
    field = field.sortby("longitude")
    degrees, step = field.longitude.values.astype(np.float64), 360.0 / field.sizes["longitude"]
    if not np.allclose(np.diff(degrees), step, rtol=0.0, atol=0.01 * step):
        raise DataError(
            f"A spectrum needs evenly spaced longitudes, once around, these are {degrees.size} from {degrees[0]:g} to "
            f"{degrees[-1]:g} degrees. Likely cause: a first longitude that is repeated at the end, or a sector. "
            "Remedy: leave out the repeated one, or interpolate to the whole circle."
        )
    return field


def log_ratio(spectrum: xr.Dataset) -> xr.Dataset:
    """log10 of power over background, symmetric and antisymmetric; NaN where the background has no power."""
    base = spectrum.background.where(spectrum.background > 0)
    return xr.Dataset({part: np.log10((spectrum[part] / base).clip(min=1e-12)) for part in ("symmetric", "antisymmetric")})


def spectrum_correlation(
    run: xr.Dataset, reference: xr.Dataset, wavenumbers: float = 15.0, frequencies: tuple[float, float] = (0.0, 0.5)
) -> float:
    """Pattern correlation of two log ratios over |k| <= `wavenumbers`, k != 0, and `frequencies` [cycles/day], both parts."""
    sides = []
    for spectrum in (run, reference):
        ratio = log_ratio(spectrum)
        k, f = ratio.wavenumber, ratio.frequency
        inside = (abs(k) <= wavenumbers) & (k != 0) & (f > frequencies[0]) & (f <= frequencies[1] + 1e-9)
        sides.append(np.concatenate([ratio[part].where(inside).values.ravel() for part in ratio.data_vars]))
    both = np.isfinite(sides[0]) & np.isfinite(sides[1])
    return float(np.corrcoef(sides[0][both], sides[1][both])[0, 1]) if both.sum() > 2 else float("nan")


def _hemispheres(
    values: np.ndarray, latitude: np.ndarray, recipe: WaveRecipe, with_equator: bool = True
) -> dict[str, tuple[np.ndarray, np.ndarray]]:  # fmt: skip
    """Part -> (values (time, row, longitude), weight (row,)): a pair of rows counts one, the equator a half."""
    north = [i for i, y in enumerate(latitude) if 1e-6 < y <= recipe.latitude_bound + 1e-6]
    pairs = [(i, int(np.argmin(np.abs(latitude + latitude[i])))) for i in north]
    if not pairs or any(abs(latitude[i] + latitude[j]) > 1e-3 for i, j in pairs):
        raise DataError(
            f"There is no pair of rows y and -y within {recipe.latitude_bound:g} degrees of the equator. "
            "Remedy: a grid symmetric about the equator, or a larger latitude_bound."
        )
    a, b = (values[:, list(side)] for side in zip(*pairs, strict=True))
    symmetric, antisymmetric, weight = 0.5 * (a + b), 0.5 * (a - b), np.ones(len(pairs))
    equator = np.flatnonzero(np.abs(latitude) <= 1e-6)
    result = {"antisymmetric": (antisymmetric, weight)}
    if with_equator and equator.size and recipe.equator == "symmetric":
        symmetric, weight = np.concatenate([symmetric, values[:, equator]], axis=1), np.append(weight, 0.5)
    return {"symmetric": (symmetric, weight), **result}


def _power(part: np.ndarray, weight: np.ndarray, samples: int, starts: range, recipe: WaveRecipe) -> np.ndarray:
    """Power (frequency > 0, wavenumber -n/2 .. n/2), the two ends of an even n being one wave, written twice."""
    longitudes, taper = part.shape[2], recipe.window(samples)[:, None, None]
    total = np.zeros((samples, longitudes))
    for start in starts:
        window = _detrended(part[start : start + samples], keep_mean=False) * taper
        power = np.abs(np.fft.fft2(window, axes=(0, 2)) / (samples * longitudes)) ** 2
        total += np.einsum("frk,r->fk", power, weight / weight.sum())
    # numpy's exponent is -i(k x + w t): what travels east at w > 0 lies at -k
    eastward = -_wavenumbers(longitudes) % longitudes
    return (total / len(starts))[1 : samples // 2 + 1][:, eastward]


def _wavenumbers(longitudes: int) -> np.ndarray:
    half = min(longitudes // 2, KEPT_WAVENUMBER)
    return np.arange(-half, half + 1)


def _background(power: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    smooth = power.copy()
    for row, f in enumerate(frequency):
        for _ in range(next(passes for below, passes in PASSES if f < below)):
            smooth[row] = _once(smooth[row], 0)
    slow = frequency <= SMOOTHED_BELOW + 1e-9
    for _ in range(FREQUENCY_PASSES):
        smooth[slow] = _once(smooth[slow], 0)
    return smooth


def _once(values: np.ndarray, axis: int) -> np.ndarray:
    """One 1-2-1 pass along an axis, ends (3, 1)/4."""
    padded = np.concatenate([values.take([0], axis), values, values.take([-1], axis)], axis)
    size = values.shape[axis]
    left, middle, right = (padded.take(range(i, i + size), axis) for i in range(3))
    return 0.25 * left + 0.5 * middle + 0.25 * right


def _detrended(values: np.ndarray, keep_mean: bool) -> np.ndarray:
    t = np.arange(values.shape[0]) - 0.5 * (values.shape[0] - 1)
    slope = np.tensordot(t, values, (0, 0)) / np.sum(t * t)
    flat = values - t.reshape(-1, *[1] * (values.ndim - 1)) * slope
    return flat if keep_mean else flat - flat.mean(0)


def _high_passed(values: np.ndarray, per_day: float, cut: float) -> np.ndarray:
    waves = np.fft.rfft(values, axis=0)
    frequency = np.fft.rfftfreq(values.shape[0], 1.0 / per_day)
    waves[(frequency > 0) & (frequency <= cut)] = 0.0
    return np.fft.irfft(waves, values.shape[0], axis=0)


def _dataset(power: dict[str, np.ndarray], frequency: np.ndarray, longitudes: int, windows: int) -> xr.Dataset:
    wavenumber = _wavenumbers(longitudes)
    inside = np.abs(wavenumber) < longitudes / 2
    variables = {name: (("frequency", "wavenumber"), values[:, inside]) for name, values in power.items()}
    coordinates = {
        "frequency": ("frequency", frequency, {"units": "day-1", "long_name": "cycles per day"}),
        "wavenumber": ("wavenumber", wavenumber[inside], {"units": "1", "long_name": "zonal wavenumber, eastward positive"}),
    }
    return xr.Dataset(variables, coordinates, {"windows": windows})
