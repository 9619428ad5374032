"""PySINDy on the same series, its threshold chosen by the same edge validation; in the dependency group `baselines`."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.dynamics import SeriesSet
from parametra.dynamics.coefficients import evaluate_monomials, monomials
from parametra.dynamics.precision import in_float64
from parametra.dynamics.shooting import observed, orbit_error
from parametra.dynamics.systems import AbstractSystem

THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
DEGREE = 3


class PolynomialMap(AbstractSystem):
    """x' = a polynomial of (x, r), as PySINDy gives it.

    Attributes:
        coefficients: of the monomials of (x, r) up to DEGREE.
    """

    coefficients: Float[Array, " terms"]
    dimension: int = eqx.field(static=True, default=1)
    time_step: float = eqx.field(static=True, default=1.0)

    def step(self, state: Array, control: Array) -> Array:
        """The polynomial."""
        features = evaluate_monomials(jnp.concatenate([state, control]), monomials(2, DEGREE))
        return jnp.dot(self.coefficients, features)[None]


def available() -> bool:
    """Whether PySINDy is installed."""
    return find_spec("pysindy") is not None


@in_float64
def fit_pysindy(data: SeriesSet, fraction: float) -> tuple[PolynomialMap, float]:
    """PySINDy fitted to all series with the threshold that predicts the held-out edge best, and that threshold."""
    keep = ~data.edge(fraction)
    held = observed(data, ~keep)
    scores = []
    for threshold in THRESHOLDS:
        found = _fit(data.where(keep), threshold)
        squares, escaped = orbit_error(found, held) if found is not None else (jnp.asarray(np.inf), jnp.asarray(True))
        scores.append(np.inf if escaped.any() else float(squares.sum()))
    order = np.argsort(np.where(np.isfinite(scores), scores, np.inf), kind="stable")
    best = THRESHOLDS[int(order[0])]
    found = _fit(data, best)
    return found if found is not None else PolynomialMap(jnp.zeros(len(monomials(2, DEGREE)))), best


def _fit(data: SeriesSet, threshold: float) -> PolynomialMap | None:
    """None where PySINDy refuses, as it does when no term survives."""
    import pysindy  # pyright: ignore[reportMissingImports]

    model: Any = pysindy.DiscreteSINDy(
        optimizer=pysindy.STLSQ(threshold=threshold), feature_library=pysindy.PolynomialLibrary(degree=DEGREE)
    )
    controls = [np.full((len(one), 1), r[0]) for one, r in zip(data.series, data.known, strict=True)]
    try:
        _quietly(lambda: model.fit(list(data.series), 1.0, u=controls))  # it drops the last control of each series itself
    except ValueError:
        return None
    given = [tuple(int(power) for power in row) for row in model.feature_library.powers_]
    values = np.asarray(model.coefficients(), np.float64).ravel()
    table = dict(zip(given, values, strict=True))
    return PolynomialMap(jnp.asarray([table.get(exponents, 0.0) for exponents in monomials(2, DEGREE)]))


def _quietly(work: Callable[[], Any]) -> None:
    """Without PySINDy's warnings on thresholds that leave no term: that is an outcome of the search."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        work()
