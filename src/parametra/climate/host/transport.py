"""What dynamics does in a step: physics into modes, the primitive equations, horizontal diffusion, and back to columns."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.columns import ColumnState
from parametra.climate.host.config import HostConfig
from parametra.climate.host.core import Modal, ModalState, SpectralCore
from parametra.climate.host.sums import GlobalSums, Scalar
from parametra.core.constants import GRAVITY, HEAT_CAPACITY


class Transported(NamedTuple):
    """The state after transport, before any fixer, and what the books need to know of it."""

    modal: ModalState
    humidity: Float[Array, "column level"]  # with holes
    diffusion_heat: Scalar  # J m-2, kinetic energy lost to horizontal diffusion, already returned as heat in its layer
    truncated_water: Scalar  # kg m-2, change of the global mass by cutting humidity at the truncation
    truncated_heat: Scalar  # J m-2, change of the global enthalpy by cutting the temperature increment of physics


@dataclass(frozen=True, eq=False)
class Transport:
    """Dynamics of one step. Wind and temperature are modes that physics only increments; humidity is transformed afresh."""

    config: HostConfig
    core: SpectralCore
    sums: GlobalSums

    @cached_property
    def _kept(self) -> float:
        """Share of the humidity finer than the truncation that outlives a step; nothing else in the state can hold such noise."""
        hours = self.config.humidity_noise_hours
        return float(np.exp(-self.config.time_step / (3600.0 * hours))) if hours > 0.0 else 0.0

    def __call__(self, modal: ModalState, before: ColumnState, after: ColumnState) -> Transported:
        """From the modes and columns before physics and the columns after it."""
        core, pressure = self.core, before.surface_pressure
        warmed = after.temperature - before.temperature
        increment, humidity = core.to_modal(warmed), core.to_modal(after.specific_humidity)
        curl, divergence = core.curl_and_divergence(
            after.eastward_wind - before.eastward_wind, after.northward_wind - before.northward_wind
        )
        forced = ModalState(
            modal.vorticity + curl, modal.divergence + divergence, modal.temperature + increment, modal.log_pressure
        )
        moved, moved_humidity, loss = core.diffuse(*core.integrate(forced, humidity))
        heated = core.add_mean(moved.temperature, loss / HEAT_CAPACITY)
        thickness = jnp.asarray(core.grid.layer_thickness, loss.dtype)
        return Transported(
            modal=ModalState(moved.vorticity, moved.divergence, heated, moved.log_pressure),
            humidity=core.to_columns(moved_humidity - self._kept * humidity) + self._kept * after.specific_humidity,
            diffusion_heat=jnp.sum(loss * thickness) * (self.config.mean_surface_pressure / GRAVITY),
            truncated_water=(1.0 - self._kept) * self._cut(humidity, after.specific_humidity, pressure),
            truncated_heat=HEAT_CAPACITY * self._cut(increment, warmed, pressure),
        )

    def _cut(self, modes: Modal, x: Float[Array, "column level"], pressure: Float[Array, " column"]) -> Scalar:
        """Change of the global integral of x dp / g by the cut.

        Under Gaussian quadrature a cut field times any other sums to the product of their modes.
        """
        product = jnp.sum(modes * self.core.to_modal(pressure[:, None]), axis=(1, 2)) / (4.0 * np.pi)
        kept = jnp.sum(product * jnp.asarray(self.core.grid.layer_thickness, product.dtype)) / GRAVITY
        return kept - self.sums.integral(x, pressure)
