"""The two protocols of the house: a Host resolves, a Closure stands for whatever it does not resolve.

The coupled run, the noise ceiling, the drift score and selection know only these two, so each is proved on two-scale Lorenz-96
in seconds and used on the atmosphere unchanged.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from jaxtyping import Array, PRNGKeyArray, PyTree

State = PyTree[Array]
Resolved = PyTree[Array]
Forcing = PyTree[Array]
Carry = PyTree[Array]
Tendency = PyTree[Array]
Fluxes = PyTree[Array]


@runtime_checkable
class Host(Protocol):
    """The resolved part of a simulation. All methods but `budget` are pure and can be traced; arguments are positional."""

    @property
    def time_step(self) -> float:
        """Length of one coupled step [s, or the system's own unit of time]."""
        ...

    def init(self, key: PRNGKeyArray, /) -> State:
        """A start state; the same key gives the same state."""
        ...

    def resolved(self, state: State, /) -> tuple[Resolved, Forcing]:
        """What a closure may see: the resolved variables, and the forcing of the coming step (axis 0 of each leaf: column)."""
        ...

    def step(self, state: State, tendency: Tendency, /) -> State:
        """The state one step later, under the closure's tendency."""
        ...

    def budget(self, state: State, /) -> Mapping[str, float]:
        """Global means of what should be conserved, and of every correction made so far, summed in float64."""
        ...


@runtime_checkable
class Closure(Protocol):
    """Whatever stands for the unresolved: the expensive truth, a network, a conventional scheme, a user's ten lines."""

    def init(self, resolved: Resolved, forcing: Forcing, key: PRNGKeyArray, /) -> Carry:
        """The closure's own memory at the start (a pytree whose leaves have the column as axis 0; () if it has none)."""
        ...

    def __call__(
        self, resolved: Resolved, forcing: Forcing, carry: Carry, key: PRNGKeyArray, /
    ) -> tuple[Tendency, Fluxes, Carry]:
        """Tendency of the resolved variables over the coming step, the fluxes at the boundaries, and the new memory."""
        ...
