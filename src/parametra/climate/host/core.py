"""The adapter to the spectral dynamical core (dinosaur 1.5.1): the only file that imports it.

Moist primitive equations in sigma, vorticity and divergence, semi-implicit; virtual temperature in the pressure gradient and in
the conversion of energy, one heat capacity for moist and dry air as in the rest of the model. Two choices of ours:

- log surface pressure is that of ps over its mean. The equations only know its gradient, and near zero float32 holds the mean
  mass a thousand times better.
- matrix products in full precision: the bf16 emulation that dinosaur takes on a GPU has been miscompiled there.

Inside, modal arrays are (level, m, l) and dimensionless: length in Earth radii, time in 1 / (2 Omega), temperature in K.
"""

import importlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.grid import ColumnGrid
from parametra.climate.host.config import HostConfig

HUMIDITY = "specific_humidity"
MEAN_MODE = float(np.sqrt(4.0 * np.pi))  # amplitude of the constant 1 in the mode (0, 0)

Modal = Float[Array, "level m l"]
Columns = Float[Array, "column level"]


class ModalState(eqx.Module):
    """What the dynamical core carries, dimensionless spherical harmonics."""

    vorticity: Modal
    divergence: Modal
    temperature: Modal  # K, deviation from the reference temperature
    log_pressure: Float[Array, "1 m l"]  # ln(ps / mean ps)


@dataclass(frozen=True)
class SpectralCore:
    """Transforms between columns and modes, and one step of resolved dynamics."""

    config: HostConfig

    @cached_property
    def library(self) -> dict[str, Any]:
        """The modules of dinosaur that are used; imported late, since the import takes seconds."""
        names = (
            "coordinate_systems", "jax_numpy_utils", "primitive_equations", "scales", "sigma_coordinates", "spherical_harmonic",
            "time_integration", "units",
        )  # fmt: skip
        modules: dict[str, Any] = {name: importlib.import_module(f"dinosaur.{name}") for name in names}
        modules["jax_numpy_utils"].FLOAT32_DOT_ALGORITHM = jax.lax.Precision.HIGHEST
        modules["spherical_harmonic"].FAST_TRANSFORM_DOT_ALGORITHM = jax.lax.Precision.HIGHEST
        return modules

    @cached_property
    def horizontal(self):
        """Spectral grid of dinosaur; one wave number more than the truncation, which its derivatives need and clip."""
        harmonics = self.library["spherical_harmonic"]
        return harmonics.Grid(
            longitude_wavenumbers=self.config.truncation + 1,
            total_wavenumbers=self.config.truncation + 2,
            longitude_nodes=self.config.longitudes,
            latitude_nodes=self.config.latitudes,
            spherical_harmonics_impl=harmonics.RealSphericalHarmonics,
        )

    @cached_property
    def grid(self) -> ColumnGrid:
        """Where the columns are, float64."""
        weights = np.asarray(np.polynomial.legendre.leggauss(self.config.latitudes)[1], np.float64)
        return ColumnGrid(
            latitudes=np.degrees(np.asarray(self.horizontal.latitudes, np.float64)),
            longitudes=np.degrees(np.asarray(self.horizontal.longitudes, np.float64)),
            latitude_weights=weights / weights.sum(),
            sigma_half=np.asarray(self.config.sigma_half, np.float64),
        )

    @cached_property
    def _units(self):
        scales = self.library["scales"]
        return self.library["units"].SimUnits.from_si(water_vapor_isobaric_heat_capacity_si=scales.ISOBARIC_HEAT_CAPACITY)

    @cached_property
    def _time_unit(self) -> float:
        return float(0.5 / self.library["scales"].ANGULAR_VELOCITY.magnitude)

    @cached_property
    def _wind_unit(self) -> float:
        return float(self.library["scales"].RADIUS.magnitude) / self._time_unit

    @cached_property
    def _integrate(self):
        equations = self.library["primitive_equations"].PrimitiveEquationsSigma(
            np.full(self.grid.levels, self.config.reference_temperature),
            np.zeros(self.horizontal.modal_shape),
            self.library["coordinate_systems"].CoordinateSystem(
                self.horizontal, self.library["sigma_coordinates"].SigmaCoordinates(self.grid.sigma_half)
            ),
            self._units,
            humidity_key=HUMIDITY,
        )
        stepper = getattr(self.library["time_integration"], self.config.stepper)
        return stepper(equations, self.config.time_step / self._time_unit)

    @cached_property
    def _damping(self) -> np.ndarray:
        """Factor by which horizontal diffusion leaves each total wave number after one step (l,)."""
        order = self.horizontal.laplacian_eigenvalues / self.horizontal.laplacian_eigenvalues[-1]
        return np.exp(-self.config.time_step / (3600.0 * self.config.diffusion_hours) * order**self.config.diffusion_order)

    def to_modal(self, x: Columns) -> Modal:
        """Columns (column, level) to modes, cut at the truncation."""
        return self.horizontal.clip_wavenumbers(self._to_modal_unclipped(x))

    def to_columns(self, x: Modal) -> Columns:
        """Modes to columns (column, level)."""
        nodal = self.horizontal.to_nodal(x)
        return jnp.transpose(nodal, (2, 1, 0)).reshape(self.grid.columns, -1)

    def wind(self, modal: ModalState) -> tuple[Columns, Columns]:
        """Eastward and northward wind [m s-1]."""
        vector = self.library["spherical_harmonic"].get_cos_lat_vector(
            modal.vorticity, modal.divergence, self.horizontal, clip=False
        )
        scale = jnp.asarray(self._wind_unit / np.cos(np.radians(self.grid.column_latitude)), modal.vorticity.dtype)[:, None]
        return self.to_columns(vector[0]) * scale, self.to_columns(vector[1]) * scale

    def curl_and_divergence(self, u: Columns, v: Columns) -> tuple[Modal, Modal]:
        """Dimensionless vorticity and divergence of a wind [m s-1]."""
        scale = jnp.asarray(1.0 / (self._wind_unit * np.cos(np.radians(self.grid.column_latitude))), u.dtype)[:, None]
        vector = tuple(self._to_modal_unclipped(component * scale) for component in (u, v))
        return self.horizontal.curl_cos_lat(vector), self.horizontal.div_cos_lat(vector)

    def _to_modal_unclipped(self, x: Columns) -> Modal:
        latitudes, longitudes = self.grid.shape
        return self.horizontal.to_modal(jnp.transpose(x.reshape(latitudes, longitudes, -1), (2, 1, 0)))

    def temperature(self, modal: ModalState) -> Columns:
        """Temperature [K]."""
        return self.to_columns(modal.temperature) + self.config.reference_temperature

    def surface_pressure(self, modal: ModalState) -> Float[Array, " column"]:
        """Surface pressure [Pa]."""
        return self.config.mean_surface_pressure * jnp.exp(self.to_columns(modal.log_pressure)[:, 0])

    def integrate(self, modal: ModalState, humidity: Modal) -> tuple[ModalState, Modal]:
        """One time step of the moist primitive equations, without diffusion."""
        state = self.library["primitive_equations"].State(
            vorticity=modal.vorticity,
            divergence=modal.divergence,
            temperature_variation=modal.temperature,
            log_surface_pressure=modal.log_pressure,
            tracers={HUMIDITY: humidity},
        )
        after = self._integrate(state)
        stepped = ModalState(after.vorticity, after.divergence, after.temperature_variation, after.log_surface_pressure)
        return stepped, after.tracers[HUMIDITY]

    def diffuse(self, modal: ModalState, humidity: Modal) -> tuple[ModalState, Modal, Float[Array, " level"]]:
        """Horizontal diffusion over one step: the damped state, and the kinetic energy [J kg-1] taken from each layer, a mean."""
        factor = jnp.asarray(self._damping, humidity.dtype)
        eigenvalue = np.where(np.arange(self._damping.size) > 0, -self.horizontal.laplacian_eigenvalues, np.inf)
        loss = jnp.asarray((1.0 - self._damping**2) / eigenvalue * (0.5 * self._wind_unit**2 / (4.0 * np.pi)), humidity.dtype)
        heat = jnp.sum((modal.vorticity**2 + modal.divergence**2) * loss, axis=(1, 2))
        return jax.tree.map(lambda x: x * factor, modal), humidity * factor, heat

    def add_mean(self, x: Modal, amount: Float[Array, ""] | Float[Array, " level"]) -> Modal:
        """Modes of a field to which a constant, one or one per layer, has been added."""
        return x.at[..., 0, 0].add(MEAN_MODE * amount)
