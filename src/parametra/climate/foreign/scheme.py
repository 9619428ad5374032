"""A physics package of jcm as the closure of our atmosphere."""

import copy
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray
from jcm.forcing import ForcingData, SolarGeometry  # pyright: ignore[reportMissingImports]
from jcm.physics_interface import PhysicsState  # pyright: ignore[reportMissingImports]
from jcm.terrain import TerrainData  # pyright: ignore[reportMissingImports]

from parametra.climate.columns import ColumnFluxes, ColumnForcing, ColumnState, ColumnTendency
from parametra.climate.foreign.held import Held
from parametra.climate.foreign.layout import PRESSURE, from_surface, to_columns, to_field, to_surface
from parametra.climate.host.atmosphere import Atmosphere
from parametra.climate.thermodynamics import heights
from parametra.core.constants import GRAVITY
from parametra.core.errors import UsageError

EQUINOX = 79.0 / 365.0  # of the year: 21 March
PUBLISHED = {  # what SPEEDY's terms publish: (diagnostic, its field)
    "net_shortwave_top": ("_shortwave_rad", "ftop"),
    "net_shortwave_surface": ("_shortwave_rad", "rsns"),
    "net_longwave_top": ("_longwave_rad", "ftop"),
    "net_longwave_surface": ("_surface_flux", "rlns"),
}


class JcmScheme(eqx.Module):
    """jcm's `ComposablePhysics` as a `ColumnScheme` for one of our atmospheres: `JcmScheme.of(host, speedy_physics())`.

    The package works with its own surface fluxes, over our sea and under the sun of an equinox. A record of the run holds the
    host's, which never entered the columns: its budgets do not close. Winds stay the host's, whose drag and mixing act in every
    run alike. Fluxes that the package does not publish under SPEEDY's names are zero. All columns of the grid go together: not
    for `ColumnBlocks`.

    Attributes:
        package: jcm's physics.
        terrain: an ocean everywhere.
        empty: its memory before the first step.
        shape: (latitudes, longitudes).
        sigma_half: interfaces of the layers.
    """

    package: Held = eqx.field(static=True)
    terrain: Any
    empty: Any
    shape: tuple[int, int] = eqx.field(static=True)
    sigma_half: tuple[float, ...] = eqx.field(static=True)

    @classmethod
    def of(cls, host: Atmosphere, physics: Any) -> "JcmScheme":
        """A copy of the package on the host's grid, which is told that grid and the host's time step.

        Raises:
            UsageError: a package that works on flattened columns or carries tracers, as jcm's ECHAM does.
        """
        if physics.vectorize_columns or physics.required_tracers():
            raise UsageError(
                "The package works on flattened columns or carries tracers, which this host has not. Remedy: one like SPEEDY."
            )
        physics = copy.deepcopy(physics)
        from dinosaur.coordinate_systems import CoordinateSystem
        from dinosaur.sigma_coordinates import SigmaCoordinates

        coords = CoordinateSystem(host.core.horizontal, SigmaCoordinates(host.grid.sigma_half))
        physics.dt_seconds = float(host.time_step)
        physics.checkpoint_terms = False
        physics.cache_coords(coords)
        half = tuple(float(sigma) for sigma in host.grid.sigma_half)
        empty = {**physics.get_empty_data(coords), **physics.initial_carry_state(coords)}
        return cls(Held(physics), TerrainData.aquaplanet(coords), empty, host.grid.shape, half)

    def init(self, state: ColumnState, forcing: ColumnForcing, key: PRNGKeyArray) -> Any:
        """The package's memory before its first step."""
        return jax.tree.map(jnp.asarray, self.empty)

    def __call__(
        self, state: ColumnState, forcing: ColumnForcing, carry: Any, key: PRNGKeyArray
    ) -> tuple[ColumnTendency, ColumnFluxes, Any]:
        """Tendency and fluxes of the coming step, and the package's memory."""
        shape = self.shape
        height = heights(self.sigma_half, state.temperature, state.specific_humidity)
        wind = (to_field(x, shape) for x in (state.eastward_wind, state.northward_wind))
        fields = PhysicsState(
            *wind, to_field(state.temperature, shape), to_field(state.specific_humidity, shape),
            to_field(GRAVITY * height, shape), to_surface(state.surface_pressure / PRESSURE, shape),
        )  # fmt: skip
        sea = to_surface(forcing.surface_temperature, shape)
        turn = jnp.float32(2.0 * np.pi)
        sun = SolarGeometry(jnp.float32(EQUINOX), turn * jnp.float32(EQUINOX), jnp.float32(0.0))
        seen = ForcingData.zeros(sea.shape, sea_surface_temperature=sea, solar=sun)
        changes, carry = self.package.value.compute_tendencies(fields, seen, self.terrain, carry)
        tendency = ColumnTendency(to_columns(changes.temperature), to_columns(changes.specific_humidity))
        return tendency, _fluxes(carry, jnp.zeros_like(state.surface_pressure)), carry


def _fluxes(diagnostics: dict[str, Any], zero: Array) -> ColumnFluxes:
    found = {
        ours: from_surface(getattr(diagnostics[key], name)) if key in diagnostics else zero
        for ours, (key, name) in PUBLISHED.items()
    }
    exchange = diagnostics.get("surface_exchange")
    rain = zero if exchange is None else from_surface(exchange.precipitation)
    return ColumnFluxes(**found, rain=rain, snow=zero)
