"""A watch over a coupled run: the first value that is not finite, or outside its limits, ends the run and is named."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from parametra.core.constants import SECONDS_PER_DAY
from parametra.core.errors import PhysicalStopError, UsageError

NO_LIMITS = (-np.inf, np.inf)


class Watch(eqx.Module):
    """Looks at every step: every number must be finite, and every named variable inside its limits.

    Attributes:
        limits: pairs of a name and its (lowest, highest) allowed value, in the variable's own unit. A name is a field of
            `resolved` (`temperature`), or one of `forcing.`, `tendency.`, `fluxes.`, `carry.` and a field.
        day: length of a day in the unit of the host's time step; only used to say when it happened.
    """

    limits: tuple[tuple[str, tuple[float, float]], ...] = eqx.field(static=True)
    day: float = eqx.field(static=True)

    def __init__(self, limits: Mapping[str, tuple[float, float]] | None = None, day: float = SECONDS_PER_DAY):
        self.limits = tuple((name, (float(low), float(high))) for name, (low, high) in sorted((limits or {}).items()))
        self.day = day

    def require_known(self, names: Mapping[str, Any]) -> None:
        """UsageError if a limit names a variable that this run does not have."""
        for name, _ in self.limits:
            if name not in names:
                close = difflib.get_close_matches(name, names, n=1)
                hint = f'Did you mean "{close[0]}"? ' if close else ""
                raise UsageError(f"Watch: no variable {name!r} in this run. {hint}Known: {', '.join(names)}.")

    def healthy(self, values: Mapping[str, Array]) -> Bool[Array, ""]:
        """Whether all `values` are finite and inside their limits."""
        limits = dict(self.limits)
        inside = [_inside(value, limits.get(name)) for name, value in values.items()]
        return jnp.all(jnp.stack(inside)) if inside else jnp.array(True)

    def stop(self, values: Mapping[str, Array], step: int, time_step: float, checkpoint: Path | None) -> PhysicalStopError:
        """The error that names the worst entry of the first unhealthy variable in `values`, seen at `step`."""
        limits = dict(self.limits)
        worst = {name: _worst(np.asarray(value), limits.get(name, NO_LIMITS)) for name, value in values.items()}
        name = next((name for name, (excess, _) in worst.items() if excess > 0), max(worst, key=lambda name: worst[name][0]))
        index = worst[name][1]
        return PhysicalStopError(
            name,
            day=step * time_step / self.day,
            column=index[0] if index else 0,
            level=index[1] if len(index) > 1 else None,
            value=float(np.asarray(values[name])[index]),
            limits=limits.get(name, NO_LIMITS),
            checkpoint=checkpoint,
        )


def _inside(value: Array, limits: tuple[float, float] | None) -> Bool[Array, ""]:
    if limits is None:
        return jnp.all(jnp.isfinite(value))
    return jnp.all(jnp.isfinite(value) & (value >= limits[0]) & (value <= limits[1]))


def _worst(value: np.ndarray, limits: tuple[float, float]) -> tuple[float, tuple[int, ...]]:
    """How far the worst entry lies outside its limits (infinitely, if it is not finite), and its index."""
    value = value.astype(np.float64)
    if value.size == 0:
        return -np.inf, ()
    finite = np.isfinite(value)
    number = np.where(finite, value, 0.0)
    excess = np.where(finite, np.maximum(limits[0] - number, number - limits[1]), np.inf)
    index = np.unravel_index(int(np.argmax(excess)), value.shape)
    return float(excess[index]), tuple(int(i) for i in index)
