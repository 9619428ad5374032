"""The grid of the cloud-resolving model (CRM): one anelastic reference profile shared by all columns, z upward.

Layout of every field is (z, x, column), column innermost; w lives on the nz + 1 interfaces, u on the left faces.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from parametra.core.constants import GAS_CONSTANT, GRAVITY, HEAT_CAPACITY, REFERENCE_PRESSURE


@dataclass(frozen=True, eq=False)
class CRMGrid:
    """Layers and reference density; all float64 NumPy, cast to the state's dtype where they are used.

    Attributes:
        density: reference density at layer centres (z,) [kg m-3].
        thickness: layer thickness (z,) [m].
        columns_x: number of CRM columns in the periodic direction.
        spacing: horizontal spacing [m].
        time_step: length of one CRM step [s].
    """

    density: np.ndarray
    thickness: np.ndarray
    columns_x: int
    spacing: float
    time_step: float

    @classmethod
    def from_sigma(cls, sigma_half: np.ndarray, columns_x: int, spacing: float, time_step: float) -> "CRMGrid":
        """Layers that carry the mass of the host's layers at 1000 hPa; `sigma_half` runs from 0 at the top to 1.

        The density is that of a profile with 288 K at the surface, 6.5 K/km below a 205 K stratosphere.
        """
        pressure_half = np.asarray(sigma_half, float)[::-1] * REFERENCE_PRESSURE
        pressure = 0.5 * (pressure_half[1:] + pressure_half[:-1])
        temperature = np.maximum(205.0, 288.0 * (pressure / REFERENCE_PRESSURE) ** 0.181)
        density = pressure / (GAS_CONSTANT * temperature)
        return cls(density, -np.diff(pressure_half) / GRAVITY / density, columns_x, spacing, time_step)

    @classmethod
    def isentropic(
        cls, layers: int, thickness: float, columns_x: int, spacing: float, time_step: float, potential_temperature: float
    ) -> "CRMGrid":
        """Equal layers over an atmosphere of constant potential temperature [K], for dry test cases."""
        z = (np.arange(layers) + 0.5) * thickness
        exner = 1.0 - GRAVITY * z / (HEAT_CAPACITY * potential_temperature)
        pressure = REFERENCE_PRESSURE * exner ** (HEAT_CAPACITY / GAS_CONSTANT)
        density = pressure / (GAS_CONSTANT * potential_temperature * exner)
        return cls(density, np.full(layers, thickness), columns_x, spacing, time_step)

    @property
    def layers(self) -> int:
        """Number of layers."""
        return self.density.size

    @property
    def mass(self) -> np.ndarray:
        """Mass of each layer (z,) [kg m-2]."""
        return self.density * self.thickness

    @property
    def interface_height(self) -> np.ndarray:
        """Heights of the interfaces (z + 1,) [m]."""
        return np.concatenate([[0.0], np.cumsum(self.thickness)])

    @property
    def height(self) -> np.ndarray:
        """Heights of the centres (z,) [m]."""
        return 0.5 * (self.interface_height[1:] + self.interface_height[:-1])

    @property
    def interior_spacing(self) -> np.ndarray:
        """Distance between neighbouring centres (z - 1,) [m]."""
        return 0.5 * (self.thickness[1:] + self.thickness[:-1])

    @property
    def interior_density(self) -> np.ndarray:
        """Density at the interior interfaces (z - 1,): the mass between two centres over their distance [kg m-3]."""
        return 0.5 * (self.mass[1:] + self.mass[:-1]) / self.interior_spacing

    @property
    def sponge_rate(self) -> np.ndarray:
        """Damping of perturbations at the centres (z,) [s-1]: from 1/450 s at 65 percent of the depth to 1/60 s at the lid."""
        depth = self.interface_height[-1]
        share = np.clip((self.height - 0.65 * depth) / (0.35 * depth), 0.0, 1.0)
        return np.where(share > 0, (1.0 / 450.0) * (450.0 / 60.0) ** share, 0.0)


def level_array(values: np.ndarray) -> Any:
    """A profile (z,) as float32 (z, 1, 1), ready to broadcast over (z, x, column)."""
    return np.asarray(values, np.float32)[:, None, None]
