"""Waves of the equatorial beta plane: where a spectrum has its ridges, and how much power lies in each family.

Shallow water of equivalent depth h on f = beta y, without mean wind, c = sqrt(g h), beta = 2 Omega / a (Matsuno 1966):

    Kelvin                w = c k
    n = 0                 w^2 - c k w - c beta = 0, the positive root: mixed Rossby-gravity for k < 0, eastward gravity for k > 0
    n >= 1                w^3 - (c^2 k^2 + (2 n + 1) c beta) w - c^2 beta k = 0: the smallest root is Rossby, the largest gravity

Source: Matsuno 1966, 10.2151/jmsj1965.44.1_25; boxes of the bands: Kiladis et al. 2009, 10.1029/2008RG000266.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from parametra.core.constants import EARTH_RADIUS, GRAVITY, SECONDS_PER_DAY

ROTATION = 7.292e-5  # s-1
DEPTHS = (12.0, 25.0, 50.0)  # m, the curves that are drawn
Family = Literal["kelvin", "rossby", "mixed_rossby_gravity", "gravity_1", "gravity_2"]
PART: dict[str, str] = {
    "kelvin": "symmetric",
    "rossby": "symmetric",
    "gravity_1": "symmetric",
    "mixed_rossby_gravity": "antisymmetric",
    "gravity_2": "antisymmetric",
}


def dispersion(family: Family, wavenumber: np.ndarray, depth: float) -> np.ndarray:
    """Frequency [cycles/day] of a family at zonal wavenumbers (wavenumber,), depth [m]; NaN where the family has no wave."""
    s = np.asarray(wavenumber, np.float64)
    c, beta, k = np.sqrt(GRAVITY * depth), 2.0 * ROTATION / EARTH_RADIUS, s / EARTH_RADIUS
    if family == "kelvin":
        omega = np.where(k > 0, c * k, np.nan)
    elif family == "mixed_rossby_gravity":
        omega = 0.5 * (c * k + np.sqrt(c * c * k * k + 4.0 * c * beta))
    else:
        n = 2 if family == "gravity_2" else 1
        roots = [np.sort(np.roots([1.0, 0.0, -(c * c * q * q + (2 * n + 1) * c * beta), -c * c * beta * q]).real) for q in k]
        # the cubic has one large positive, one large negative and one small root, positive for k < 0
        omega = np.array([r[1] if family == "rossby" else r[2] for r in roots])
        omega = np.where(omega > 0, omega, np.nan)
    return omega * SECONDS_PER_DAY / (2.0 * np.pi)


def dispersion_curves(wavenumber: np.ndarray, depths: tuple[float, ...] = DEPTHS) -> xr.DataArray:
    """All families at some equivalent depths: frequency [cycles/day], dims (family, depth, wavenumber)."""
    values = [[dispersion(family, wavenumber, depth) for depth in depths] for family in PART]  # pyright: ignore[reportArgumentType]
    coordinates = {"family": list(PART), "depth": list(depths), "wavenumber": wavenumber}
    return xr.DataArray(np.array(values), coordinates, ("family", "depth", "wavenumber"), "dispersion")


@dataclass(frozen=True)
class WaveBand:
    """A box of a spectrum.

    Attributes:
        part: symmetric or antisymmetric.
        wavenumbers: first and last.
        periods: shortest and longest [days].
        family: whose curves of `depths` [m] bound the box, if any.
        depths: see there.
    """

    part: Literal["symmetric", "antisymmetric"]
    wavenumbers: tuple[int, int]
    periods: tuple[float, float]
    family: Family | None = None
    depths: tuple[float, float] = (8.0, 90.0)

    def inside(self, frequency: np.ndarray, wavenumber: np.ndarray) -> np.ndarray:
        """Which points (frequency, wavenumber) lie in the box."""
        f, k = np.asarray(frequency)[:, None], np.asarray(wavenumber)[None, :]
        box = (k >= self.wavenumbers[0]) & (k <= self.wavenumbers[1]) & (f >= 1 / self.periods[1]) & (f <= 1 / self.periods[0])
        if self.family is None:
            return box
        edges = np.sort([dispersion(self.family, wavenumber, depth) for depth in self.depths], axis=0)
        return box & (f >= edges[0]) & (f <= edges[1])


BANDS = {
    "Madden-Julian": WaveBand("symmetric", (1, 5), (30.0, 96.0)),
    "Kelvin": WaveBand("symmetric", (1, 14), (2.5, 30.0), "kelvin"),
    "equatorial Rossby": WaveBand("symmetric", (-10, -1), (9.7, 48.0), "rossby"),
    "mixed Rossby-gravity": WaveBand("antisymmetric", (-10, -1), (3.0, 8.0), "mixed_rossby_gravity"),
}


def band_powers(spectrum: xr.Dataset, bands: dict[str, WaveBand] | None = None) -> xr.Dataset:
    """Power in each band, of a spectrum as `wave_spectrum` returns it.

    Returns:
        power [u2], the sum over the box; ratio [1], that sum over the background's; points, how many points of the spectrum lie
        in the box (one without any is NaN); dims (band,).
    """
    bands, rows = BANDS if bands is None else bands, []
    for band in bands.values():
        inside = band.inside(spectrum.frequency.values, spectrum.wavenumber.values)
        count = int(inside.sum())
        power, base = (float(spectrum[part].values[inside].sum()) for part in (band.part, "background"))
        rows.append((power if count else np.nan, power / base if count and base > 0 else np.nan, count))
    power, ratio, points = zip(*rows, strict=True)
    return xr.Dataset(
        {"power": ("band", list(power)), "ratio": ("band", list(ratio)), "points": ("band", list(points))},
        {"band": list(bands)},
    )
