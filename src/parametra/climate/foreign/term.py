"""One of our column schemes as a physics term of jcm."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from jcm.physics.physics_term import PhysicsTerm  # pyright: ignore[reportMissingImports]
from jcm.physics_interface import PhysicsTendency  # pyright: ignore[reportMissingImports]

from parametra.climate.columns import ColumnForcing, ColumnScheme, ColumnState
from parametra.climate.foreign.held import Held
from parametra.climate.foreign.layout import PRESSURE, from_surface, to_columns, to_field, to_surface
from parametra.climate.grid import ColumnGrid
from parametra.climate.insolation import cosine_zenith, insolation
from parametra.climate.surface import bulk_fluxes
from parametra.core.constants import SECONDS_PER_DAY
from parametra.core.errors import UsageError

MEMORY = "parametra"
FLUXES = ("net_shortwave_top", "net_shortwave_surface", "net_longwave_top", "net_longwave_surface", "rain", "snow")


class SchemeTerm(PhysicsTerm):
    """A `ColumnScheme` in jcm: `ComposablePhysics([SchemeTerm(scheme)], checkpoint_terms=False)`.

    The sun is the one that our networks know, a perpetual equinox with a diurnal cycle; bulk fluxes are ours over jcm's sea
    surface temperature. Winds are slowed below sigma 0.7 as by Held and Suarez (1994), since our schemes leave them to the host.
    What the scheme gives besides tendencies is in the diagnostics, under `parametra`.

    The levels must be those of the scheme; the memory of a scheme may not depend on the state that it starts from (networks and
    the conventional scheme have none).

    Args:
        scheme: of ours.
        time_step: jcm's [s].
        exchange, gustiness: of the bulk fluxes, 1 and m/s.
        friction_days: time scale of the winds' friction at the surface; 0 for none.
        seed: of a scheme with noise.
    """

    name: ClassVar[str] = "parametra"
    category: ClassVar[str] = "parametra"
    provides: ClassVar[tuple[str, ...]] = (MEMORY,)

    def __init__(
        self, scheme: ColumnScheme, time_step: float = 1800.0, exchange: float = 1.5e-3, gustiness: float = 5.0,
        friction_days: float = 1.0, seed: int = 0,
    ) -> None:  # fmt: skip
        day = SECONDS_PER_DAY / time_step
        if not time_step > 0 or abs(day - round(day)) > 1e-6:
            raise UsageError(f"time_step is {time_step:g} s, which does not divide a day. Remedy: jcm's own step, 1800 for T21.")
        self._scheme, self._time_step = Held(scheme), float(time_step)
        self._exchange, self._gustiness, self._friction_days, self._seed = exchange, gustiness, friction_days, seed
        self._steps_per_day = round(day)
        self._coords: Held | None = None

    def cache_coords(self, coords: Any) -> None:
        """Where the columns are; called by jcm."""
        half = np.asarray(coords.vertical.boundaries, np.float64)
        weights = np.polynomial.legendre.leggauss(coords.horizontal.latitudes.size)[1]
        grid = ColumnGrid(
            np.degrees(np.asarray(coords.horizontal.latitudes, np.float64)),
            np.degrees(np.asarray(coords.horizontal.longitudes, np.float64)), weights / weights.sum(), half,
        )  # fmt: skip
        self._coords = Held(grid)
        asked = _layers(self._scheme.value)
        if asked is not None and (len(asked) != half.size or not np.allclose(asked, half, atol=1e-6)):
            raise UsageError(
                f"The scheme has {len(asked) - 1} layers that are not jcm's {half.size - 1}. Remedy: get_coords with the "
                "scheme's sigma_half as its boundaries."
            )

    def initial_carry_state(self, coords: Any) -> dict[str, Any]:
        """The scheme's memory, the number of the coming step, and fluxes that no step has given yet."""
        self.cache_coords(coords)
        return self._blank()

    def _blank(self) -> dict[str, Any]:
        still = jnp.ones((self._grid.columns, self._grid.levels))
        state = ColumnState(250.0 * still, 1e-4 * still, still, still, PRESSURE * still[:, -1])
        zero = jnp.zeros(still.shape[0])
        memory = self._scheme.value.init(state, self._forcing(state, 280.0 + zero, jnp.zeros((), jnp.int32)), self._key(-1))
        surface = jnp.zeros(self._grid.shape[::-1])
        return {MEMORY: {"memory": memory, "step": jnp.zeros((), jnp.int32), **dict.fromkeys(FLUXES, surface)}}

    def __call__(self, state: Any, diagnostics: dict[str, Any], forcing: Any, terrain: Any) -> tuple[Any, dict[str, Any]]:
        """Tendencies of this step; called by jcm."""
        step = float(diagnostics.get("_dt_seconds", self._time_step))
        if abs(step - self._time_step) > 1e-6:
            raise UsageError(
                f"jcm's step is {step:g} s, the term's {self._time_step:g} s. Remedy: one for both; of a network, its training's."
            )
        shape, own = self._grid.shape, (diagnostics if MEMORY in diagnostics else self._blank())[MEMORY]  # jcm probes without
        columns = ColumnState(
            to_columns(state.temperature), to_columns(state.specific_humidity),
            to_columns(state.u_wind), to_columns(state.v_wind),
            from_surface(state.normalized_surface_pressure) * PRESSURE,
        )  # fmt: skip
        sea = from_surface(jnp.broadcast_to(forcing.sea_surface_temperature, shape[::-1]))
        seen = self._forcing(columns, sea, own["step"])
        tendency, fluxes, memory = self._scheme.value(columns, seen, own["memory"], self._key(own["step"]))
        said = {name: to_surface(getattr(fluxes, name), shape) for name in FLUXES}
        slow = -jnp.asarray(self._friction())
        changes = PhysicsTendency(
            to_field(slow * columns.eastward_wind, shape), to_field(slow * columns.northward_wind, shape),
            to_field(tendency.temperature, shape), to_field(tendency.specific_humidity, shape),
        )  # fmt: skip
        return changes, {**diagnostics, MEMORY: {"memory": memory, "step": own["step"] + 1, **said}}

    def _forcing(self, state: ColumnState, sea: Array, step: Array) -> ColumnForcing:
        cosine = cosine_zenith(step, self._steps_per_day, self._grid)
        lowest = float(self._grid.sigma[-1])
        fluxes = bulk_fluxes(state, sea, lowest, exchange=self._exchange, gustiness=self._gustiness)
        return ColumnForcing(sea, insolation(cosine), cosine, *fluxes, time_step=self._time_step)

    @property
    def _grid(self) -> ColumnGrid:
        if self._coords is None:
            raise UsageError("The term does not know its grid. Remedy: give it to a Model, or call cache_coords.")
        return self._coords.value

    def _friction(self) -> np.ndarray:
        """Rate by level [s-1]."""
        if not self._friction_days:
            return np.zeros(self._grid.levels, np.float32)
        share = np.maximum(0.0, (self._grid.sigma - 0.7) / 0.3)
        return (share / (self._friction_days * SECONDS_PER_DAY)).astype(np.float32)

    def _key(self, step: Array | int) -> Array:
        return jax.random.fold_in(jax.random.key(self._seed), step + 1)


def _layers(scheme: Any) -> Any:
    """The interfaces that a scheme was made for, wherever it keeps them; None where it takes any."""
    while scheme is not None:
        if hasattr(scheme, "sigma_half"):
            return scheme.sigma_half
        scheme = getattr(scheme, "emulator", None)
    return None
