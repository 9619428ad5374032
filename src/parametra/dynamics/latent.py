"""Series whose control nobody knows: one learned number each, and a family that is affine in it.

The number is found only up to an affine change, so it is given mean 0, variance 1 and the sign of the series' own mean; how it
relates to a true control can be asked afterwards, and nothing of that goes into the fit.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array

from parametra.core.errors import UsageError
from parametra.dynamics.design import Design
from parametra.dynamics.family import Family
from parametra.dynamics.fitting import SMALLEST_RIDGE, Fitted, build, fit, samples_of
from parametra.dynamics.one_step import Samples, solve_readout
from parametra.dynamics.precision import in_float64
from parametra.dynamics.series import SeriesSet

CLEARLY = 6.0  # times what noise would give: an observation error enters two steps, so its residuals are not independent
EXACT = 1e-20  # share of the variance below which a law is exact


class Discovered(NamedTuple):
    """The learned control and the family over it.

    Attributes:
        control: (series,), mean 0, variance 1.
        fitted: a family whose control is that number.
        data: the series, now with a control.
    """

    control: np.ndarray
    fitted: Fitted
    data: SeriesSet


@in_float64
def discover(data: SeriesSet, design: Design, *, seed: int = 0, steps: int = 100) -> Discovered:
    """One number per series with which a family of `design` predicts each next state best.

    Args:
        data: series; a control they may have is not looked at.
        design: affine in the control; its body is fixed while the numbers are found (a network's at its random start), then all
            of it is fitted as usual.
        seed: of a network.
        steps: most steps of Levenberg-Marquardt for the numbers.

    Raises:
        UsageError: fewer than three series, another dependence than affine, or series that one law explains as well.
    """
    if len(data.series) < 3 or design.coefficients != "affine":
        raise UsageError(
            f"An unknown control needs three series at least (found {len(data.series)}) and affine coefficients (found "
            f'"{design.coefficients}"): any curve through the numbers would do otherwise. Remedy: more series, or a control.'
        )
    start = _first_guess(data, design)
    blank = data.with_control(start)
    used = np.ones(len(data.series), bool)
    whole = design.model_copy(update={"terms": 0})
    samples = samples_of(whole, blank, used)
    family = build(whole, samples, jax.random.key(seed), data.time_step)
    family = eqx.tree_at(lambda f: (f.scaling.mid, f.scaling.span), family, (jnp.zeros(1), jnp.ones(1)))
    _, _, numbers = data.pairs() if design.link != "tendency" else (None, None, _numbers(data))
    ridge = jnp.asarray(max(design.ridge, SMALLEST_RIDGE))
    found = np.asarray(_best_numbers(family, samples, jnp.asarray(numbers), jnp.asarray(start), ridge, steps))
    spread = found.std()
    control = (found - found.mean()) / (spread or 1.0)
    if not np.isfinite(control).all() or not spread > 0 or not _explains(family, samples, np.asarray(numbers), control):
        raise UsageError(
            "No control was found: one law explains all series as well as a law with a number for each. Likely cause: the series "
            "were taken at one control, or noise hides what sets them apart. Remedy: series further apart, or longer ones."
        )
    means = np.array([one.mean() for one in data.series])
    control = control * (np.sign(np.corrcoef(control, means)[0, 1]) or 1.0)
    known = data.with_control(control)
    return Discovered(control, fit(design, known, seed=seed), known)


def _explains(family: Family, samples: Samples, numbers: np.ndarray, control: np.ndarray) -> bool:
    """Whether the numbers (series,) lower the residual of one common law by clearly more than they lower that of noise.

    For a law linear in f features and S series they are a matrix of rank one among S x f, which takes from normal noise at most
    about (sqrt(S) + sqrt(f))^2 variances: the square of the largest singular value of a random matrix.
    Source: Davidson & Szarek (2001), Local operator theory, random matrices and Banach spaces, theorem II.13.
    """
    x, z, _, _ = samples
    blank = jnp.zeros((len(x), 1))
    features = np.asarray(jax.vmap(family.features)(x, blank))[:, 0]
    targets = np.asarray(z)
    one = _residual(features, targets)
    many = _residual(np.concatenate([features, control[numbers][:, None] * features], axis=1), targets)
    free, states = features.shape[1], targets.shape[1]
    left = max(1, targets.size - 2 * free * states - len(control))
    noise = many / left
    if one <= EXACT * float(np.sum((targets - targets.mean(axis=0)) ** 2)):  # rounding, which is no noise
        return False
    return bool(one - many > CLEARLY * (np.sqrt(len(control)) + np.sqrt(free * states)) ** 2 * noise)


def _residual(columns: np.ndarray, targets: np.ndarray) -> float:
    return float(np.sum((targets - columns @ np.linalg.lstsq(columns, targets, rcond=None)[0]) ** 2))


def affine_r2(found: np.ndarray, true: np.ndarray) -> float:
    """Share of the variance of `true` (series,) that an affine function of `found` explains."""
    return float(np.corrcoef(found, true)[0, 1] ** 2)


def _first_guess(data: SeriesSet, design: Design) -> np.ndarray:
    """What a single law leaves unexplained: the first principal component of each series' own mean residual and slope."""
    before, after, numbers = data.pairs()
    scale = np.where(before.std(axis=0) > 0, before.std(axis=0), 1.0)
    u = (before - before.mean(axis=0)) / scale
    features = np.concatenate([np.ones((len(u), 1)), u, u**2, u**3], axis=1)
    residual = after - features @ np.linalg.lstsq(features, after, rcond=None)[0]
    each = np.stack([residual[numbers == i].mean(axis=0) for i in range(len(data.series))])
    each = each - each.mean(axis=0)
    direction = np.linalg.svd(each, full_matrices=False)[2][0]
    guess = each @ direction
    return guess / (guess.std() or 1.0)


def _numbers(data: SeriesSet) -> np.ndarray:
    """The series of each sample of the link "tendency", which leaves three states out at both ends."""
    return np.repeat(np.arange(len(data.series)), [len(one) - 6 for one in data.series])


@eqx.filter_jit
def _best_numbers(family: Family, samples: Samples, numbers: Array, start: Array, ridge: Array, steps: int) -> Array:
    """Levenberg-Marquardt on the numbers; for each trial the readout is the best one."""

    def residuals(control: Array, args: Any) -> Array:
        x, z, _, weight = samples
        centred = (control - control.mean()) / jnp.sqrt(jnp.mean((control - control.mean()) ** 2))
        return solve_readout(family, (x, z, centred[numbers][:, None], weight), ridge)[1]

    solver = optx.LevenbergMarquardt(rtol=1e-12, atol=1e-14)
    return optx.least_squares(residuals, solver, start, options={"jac": "fwd"}, max_steps=steps, throw=False).value
