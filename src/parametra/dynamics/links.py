"""What the main network predicts of the next state. The link decides in which quantity dependence on the control is simple.

A wrong link makes an affine family worse than a plain network (Ricker: affine in log(x'/x), not in x'), so links are candidates
of edge validation like everything else.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.dynamics.lorenz96 import runge_kutta
from parametra.dynamics.series import SeriesSet

State = Float[Array, " state"]


class AbstractLink(eqx.Module):
    """How a prediction becomes the next state, and what the prediction should have been."""

    @abstractmethod
    def advance(self, predict: Callable[[State], State], state: State, time_step: float) -> State:
        """The next state, from a function that predicts the linked quantity at a state."""

    @abstractmethod
    def targets(self, series: np.ndarray, time_step: float) -> tuple[np.ndarray, np.ndarray]:
        """(x, z) of one series (steps, state): the states at which the linked quantity is known, and its values there."""


class Identity(AbstractLink):
    """The prediction is x' itself."""

    def advance(self, predict: Callable[[State], State], state: State, time_step: float) -> State:
        """The prediction."""
        return predict(state)

    def targets(self, series: np.ndarray, time_step: float) -> tuple[np.ndarray, np.ndarray]:
        """X'."""
        return series[:-1], series[1:]


class Residual(AbstractLink):
    """The prediction is x' - x."""

    def advance(self, predict: Callable[[State], State], state: State, time_step: float) -> State:
        """X + prediction."""
        return state + predict(state)

    def targets(self, series: np.ndarray, time_step: float) -> tuple[np.ndarray, np.ndarray]:
        """X' - x."""
        return series[:-1], np.diff(series, axis=0)


class LogRatio(AbstractLink):
    """The prediction is log(x' / x), for states that stay positive: the growth rate of a population."""

    def advance(self, predict: Callable[[State], State], state: State, time_step: float) -> State:
        """X exp(prediction)."""
        return state * jnp.exp(predict(state))

    def targets(self, series: np.ndarray, time_step: float) -> tuple[np.ndarray, np.ndarray]:
        """log(x' / x); UsageError for a state that is not positive."""
        if series.min() <= 0:
            raise UsageError(
                f'The link "log-ratio" needs positive states, found {series.min():g}. Likely cause: noise, or a quantity with '
                'sign. Remedy: the link "identity" or "residual".'
            )
        return series[:-1], np.log(series[1:] / series[:-1])


class Tendency(AbstractLink):
    """The prediction is dx/dt, stepped by the classical Runge-Kutta method; for flows sampled finely.

    A flow map over a finite step is not affine in the control where the slope is, so flows are learned by their slope.
    """

    def advance(self, predict: Callable[[State], State], state: State, time_step: float) -> State:
        """One Runge-Kutta step."""
        return runge_kutta(predict, state, time_step)

    def targets(self, series: np.ndarray, time_step: float) -> tuple[np.ndarray, np.ndarray]:
        """Central differences of sixth order, which noise spoils; UsageError below seven states.

        A one-step fit stops there; the loss "shooting" goes on through the stepping.
        """
        if len(series) < 7:
            raise UsageError(f'The link "tendency" needs series of seven states or more, found {len(series)}.')
        n = len(series)
        slope = sum(
            weight * (series[3 + shift : n - 3 + shift] - series[3 - shift : n - 3 - shift])
            for shift, weight in ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
        )
        return series[3:-3], np.asarray(slope) / time_step


LINKS: Mapping[str, AbstractLink] = MappingProxyType(
    {"identity": Identity(), "residual": Residual(), "log-ratio": LogRatio(), "tendency": Tendency()}
)


def linked(data: SeriesSet, link: AbstractLink) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(x, z, series) over all series."""
    found = [link.targets(one, data.time_step) for one in data.series]
    numbers = np.repeat(np.arange(len(found)), [len(x) for x, _ in found])
    return np.concatenate([x for x, _ in found]), np.concatenate([z for _, z in found]), numbers
