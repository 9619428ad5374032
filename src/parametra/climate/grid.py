"""Where the columns of an atmosphere are, in NumPy and float64: no jax, so that diagnostics and the page can use it."""

from dataclasses import dataclass

import numpy as np

from parametra.core.constants import GRAVITY


@dataclass(frozen=True, eq=False)
class ColumnGrid:
    """Columns on a Gaussian grid and their sigma layers; column index = latitude index * longitudes + longitude index.

    Attributes:
        latitudes: (latitude,) degrees north, south to north.
        longitudes: (longitude,) degrees east.
        latitude_weights: (latitude,) Gaussian weights, sum 1.
        sigma_half: (level + 1,) interfaces, 0 at the top to 1 at the surface.
    """

    latitudes: np.ndarray
    longitudes: np.ndarray
    latitude_weights: np.ndarray
    sigma_half: np.ndarray

    @property
    def columns(self) -> int:
        """Number of columns."""
        return self.latitudes.size * self.longitudes.size

    @property
    def levels(self) -> int:
        """Number of layers."""
        return self.sigma_half.size - 1

    @property
    def shape(self) -> tuple[int, int]:
        """(latitudes, longitudes)."""
        return self.latitudes.size, self.longitudes.size

    @property
    def layer_thickness(self) -> np.ndarray:
        """Thickness of each layer in sigma (level,)."""
        return np.diff(self.sigma_half)

    @property
    def sigma(self) -> np.ndarray:
        """Layer centres (level,)."""
        return 0.5 * (self.sigma_half[1:] + self.sigma_half[:-1])

    @property
    def column_latitude(self) -> np.ndarray:
        """Degrees north of each column (column,)."""
        return np.repeat(self.latitudes, self.longitudes.size)

    @property
    def column_longitude(self) -> np.ndarray:
        """Degrees east of each column (column,)."""
        return np.tile(self.longitudes, self.latitudes.size)

    @property
    def area_weight(self) -> np.ndarray:
        """Share of the sphere of each column (column,), sum 1."""
        return np.repeat(self.latitude_weights / self.latitude_weights.sum(), self.longitudes.size) / self.longitudes.size

    def layer_mass(self, surface_pressure: np.ndarray) -> np.ndarray:
        """Mass of each layer [kg m-2], (..., level), from surface pressure [Pa] (...)."""
        return np.asarray(surface_pressure)[..., None] * (self.layer_thickness / GRAVITY)
