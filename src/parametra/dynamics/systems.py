"""Systems with a control parameter: one abstract method, `step(state, control)`, for maps, flows and learned families alike.

A state is a vector `(state,)`, a control a vector `(control,)`; a system with one of each may be written with plain arithmetic,
`Map(lambda x, r: r * x * (1 - x))`, because both then broadcast.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.dynamics.lorenz96 import runge_kutta

State = Float[Array, " state"]
Control = Float[Array, " control"]


class AbstractSystem(eqx.Module):
    """Whatever carries a state one step further under a control parameter.

    Attributes:
        dimension: numbers in a state.
        time_step: time between states, in the system's unit; 1 for a map.
    """

    if TYPE_CHECKING:  # a type checker would take them for the first fields of every system

        @property
        def dimension(self) -> int: ...  # noqa: D102
        @property
        def time_step(self) -> float: ...  # noqa: D102
    else:
        dimension: eqx.AbstractVar[int]
        time_step: eqx.AbstractVar[float]

    @property
    def controls(self) -> int | None:
        """Numbers in a control; None where any that the step takes will do."""
        return None

    @abstractmethod
    def step(self, state: State, control: Control) -> State:
        """The state one step later."""

    def at(self, control: Control) -> Callable[[State], State]:
        """The step at one control; systems that compute something from the control alone do it here, once."""
        return lambda state: self.step(state, control)


class Map(AbstractSystem):
    """x' = function(x, control), a function of the user's own.

    Attributes:
        function: pure, traceable; takes and returns a state `(dimension,)`.
    """

    function: Callable[[Any, Any], Any]
    dimension: int = eqx.field(static=True, default=1)
    time_step: float = eqx.field(static=True, default=1.0)

    def __check_init__(self):
        check_shape(self.function, self.dimension)

    def step(self, state: State, control: Control) -> State:
        """The function itself."""
        return self.function(state, control)


class Flow(AbstractSystem):
    """dx/dt = slope(x, control), seen every `time_step`.

    Attributes:
        slope: pure, traceable; takes a state and the control, returns `(dimension,)`.
        substeps: solver steps between two states.
        solver: an explicit solver of diffrax, such as `diffrax.Tsit5(scan_kind="lax")`; None is the classical fourth-order
            Runge-Kutta step written out. On a 2-core AMD EPYC, 50 copies of Lorenz-63 with tangents: 8 us per step
            written out, 427 us by Tsit5, whose stages are a loop; `trajectory` is diffrax with error control.
    """

    slope: Callable[[Any, Any], Any]
    dimension: int = eqx.field(static=True)
    time_step: float = eqx.field(static=True, default=0.01)
    substeps: int = eqx.field(static=True, default=1)
    solver: diffrax.AbstractSolver | None = None

    def __check_init__(self):
        if not self.time_step > 0 or self.substeps < 1:
            raise UsageError(f"A flow needs time_step > 0 and substeps >= 1, got {self.time_step} and {self.substeps}.")
        check_shape(self.slope, self.dimension)

    def step(self, state: State, control: Control) -> State:
        """The state `time_step` later, by `substeps` equal steps of the solver."""
        length = self.time_step / self.substeps
        if self.solver is None:
            return jax.lax.fori_loop(
                0, self.substeps, lambda _, x: runge_kutta(lambda y: self.slope(y, control), x, length), state
            ) if self.substeps > 1 else runge_kutta(lambda y: self.slope(y, control), state, length)  # fmt: skip
        solver, term = self.solver, diffrax.ODETerm(lambda t, x, args: self.slope(x, control))
        memory = solver.init(term, 0.0, length, state, None)

        def substep(carry: Any, unused: None) -> tuple[Any, None]:
            x, memory = carry
            x, _, _, memory, _ = solver.step(term, 0.0, length, x, None, memory, made_jump=False)
            return (x, memory), None

        return jax.lax.scan(substep, (state, memory), None, length=self.substeps)[0][0]

    def trajectory(self, state: State, control: Control, steps: int, tolerance: float = 1e-10) -> Float[Array, "steps state"]:
        """States at 1, ..., `steps` times `time_step`, by diffrax (Dormand-Prince 8(7)) with error control."""
        times = self.time_step * jnp.arange(1, steps + 1)
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, x, args: self.slope(x, args)), diffrax.Dopri8(), 0.0, times[-1], self.time_step, state,
            control, saveat=diffrax.SaveAt(ts=times), stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
            max_steps=None, throw=False,
        )  # fmt: skip
        assert solution.ys is not None
        return solution.ys


def check_controls(system: AbstractSystem, count: int) -> None:
    """UsageError unless a control of `count` numbers steps the system."""
    expected = f"{system.controls} numbers" if system.controls is not None else "another number of them"
    fits = system.controls in (None, count)
    if fits and system.controls is None:
        parts = (jax.ShapeDtypeStruct((size,), jnp.result_type(float)) for size in (system.dimension, count))
        try:
            fits = getattr(jax.eval_shape(system.step, *parts), "shape", None) == (system.dimension,)
        except (IndexError, ValueError, TypeError):
            fits = False
    if not fits:
        raise UsageError(
            f"A control of {count} {'number' if count == 1 else 'numbers'} does not fit the system, whose step takes {expected}. "
            "Remedy: one column for each control, in the order in which the system was defined or learned."
        )


def check_shape(function: Callable[[Any, Any], Any], dimension: int) -> None:
    """UsageError unless `function` gives `(dimension,)` for a state `(dimension,)`, for one control or as many as it unpacks."""
    if dimension < 1:
        raise UsageError(f"A system needs a dimension of at least 1, got {dimension}.")
    state = jax.ShapeDtypeStruct((dimension,), jnp.float32)
    for controls in range(1, 9):
        try:
            found = jax.eval_shape(function, state, jax.ShapeDtypeStruct((controls,), jnp.float32))
        except (IndexError, ValueError, TypeError):
            continue  # more control parameters than this
        if getattr(found, "shape", None) == (dimension,):
            return
        raise UsageError(
            f"The function of the system gives shape {getattr(found, 'shape', type(found).__name__)} for a state of shape "
            f"({dimension},). Likely cause: a tuple or a scalar is returned. Remedy: return jnp.stack([...]) of {dimension}."
        )
    raise UsageError(
        f"The function of the system cannot be traced with a state of shape ({dimension},) and up to 8 control parameters. "
        "Remedy: function(state, control) of jax.numpy operations on vectors."
    )
