"""From a design and series to a family."""

from collections.abc import MutableMapping
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from parametra.core.errors import UsageError
from parametra.dynamics.bodies import Library, Network
from parametra.dynamics.coefficients import make_coefficients
from parametra.dynamics.design import Design
from parametra.dynamics.family import Family
from parametra.dynamics.links import LINKS, linked
from parametra.dynamics.one_step import Samples, fit_one_step, inner
from parametra.dynamics.precision import in_float64
from parametra.dynamics.scalings import scaling_of
from parametra.dynamics.series import SeriesSet
from parametra.dynamics.shooting import Observed, observed, orbit_residuals, sensitivity, shoot

SMALLEST_RIDGE = 1e-24  # relative: the least that keeps a singular least-squares problem finite in float64


@dataclass(frozen=True)
class Fitted:
    """A family with what its fit says about it.

    Attributes:
        design: what was asked.
        family: the system that came out.
        error: root mean square residual in units of the states' spread: of one step, or of whole orbits under shooting.
        starts: (series, state), initial states of the series: found by shooting, observed otherwise.
        mask: like the readout, 1 where a number was free.
        keep: (series,), which series were used.
    """

    design: Design
    family: Family
    error: float
    starts: np.ndarray
    mask: np.ndarray
    keep: np.ndarray

    @property
    def parameters(self) -> int:
        """Free numbers of the family, powers that were trained included."""
        trained = jax.tree.leaves(eqx.filter(self.family, inner(self.family, self.design.learn_powers)))
        return int(self.mask.sum()) + sum(leaf.size for leaf in trained)


@in_float64
def fit(design: Design, data: SeriesSet, *, seed: int = 0, keep: np.ndarray | None = None,
        paths: MutableMapping[Design, dict[int, Fitted]] | None = None) -> Fitted:  # fmt: skip
    """The family of `design` that fits `data` best, in float64.

    Args:
        design: what to fit.
        data: series at two values of the control at least.
        seed: of a network's first weights.
        keep: (series,), which series to use; all by default. Shapes stay those of all series, so nothing is compiled twice.
        paths: where sparse fits of one library with different numbers of terms share their work; give one dict to all of them.

    Raises:
        UsageError: a link or powers that the data do not allow, or a fit that gave no finite numbers.
    """
    used = np.ones(len(data.series), bool) if keep is None else np.asarray(keep, bool)
    if len(np.unique(data.known[used], axis=0)) < 2:
        raise UsageError("A fit needs series at two values of the control at least. Remedy: keep more series.")
    if design.main == "polynomial" and design.terms:
        whole = design.model_copy(update={"terms": 0})
        known = {} if paths is None else paths
        if whole not in known:
            known[whole] = _sparse_path(whole, data, used)
        if design.terms not in known[whole]:
            most = max(known[whole])
            raise UsageError(f"The library of {whole.label} has {most} terms, {design.terms} were asked. Remedy: fewer.")
        fitted = known[whole][design.terms]
        return Fitted(design, fitted.family, fitted.error, fitted.starts, fitted.mask, used)
    starts = 1 if design.main == "polynomial" else design.restarts
    best = min((_one_start(design, data, used, seed * 1000 + start) for start in range(starts)), key=lambda fitted: fitted.error)
    if not np.isfinite(best.error):
        raise UsageError(f"The fit of {design.label} gave no finite numbers. Remedy: a larger ridge, or another seed.")
    return best


def _one_start(design: Design, data: SeriesSet, used: np.ndarray, seed: int) -> Fitted:
    family = build(design, data, used, jax.random.key(seed))
    samples = samples_of(design, data, used)
    spec = inner(family, design.learn_powers)
    ridge = jnp.asarray(max(design.ridge, SMALLEST_RIDGE))
    family, error = fit_one_step(family, spec, samples, ridge, design.steps, design.adam)
    first = np.stack([one[0] for one in data.series])
    fitted = Fitted(design, family, _root(error), first, np.ones(family.readout.shape), used)
    return refine(fitted, data) if design.loss == "shooting" else fitted


def refine(fitted: Fitted, data: SeriesSet) -> Fitted:
    """The fit carried on by shooting over whole series."""
    design, seen = fitted.design, observed(data, fitted.keep)
    spec = inner(fitted.family, design.learn_powers)
    ridge = jnp.asarray(design.ridge if design.main == "network" else 0.0)
    family, starts, total = shoot(
        fitted.family, spec, jnp.asarray(fitted.mask), jnp.asarray(fitted.starts), seen, ridge, design.steps, design.free
    )
    error = _root(total / (seen.weight.sum() * data.dimension))
    return Fitted(design, family, error, np.asarray(starts), fitted.mask, fitted.keep)


def covariance(fitted: Fitted, data: SeriesSet, noise: float | None = None) -> np.ndarray:
    """Covariance of the free numbers of the readout, initial states eliminated: the Cramer-Rao bound of the fitted model.

    Args:
        fitted: a fit of `data` without trained inner layers.
        data: the series.
        noise: standard deviation of the observations in units of their spread; from the residuals by default.
    """
    information, residuals, count = _information(fitted, data)
    if noise is None:
        noise = float(np.sqrt(np.sum(residuals**2) / max(1, count - len(information))))
    return noise**2 * np.linalg.pinv(information, hermitian=True)


def _information(fitted: Fitted, data: SeriesSet) -> tuple[np.ndarray, np.ndarray, int]:
    """(J'J of the free readout numbers, residuals, observations less initial states)."""
    with jax.enable_x64(True):
        spec = jax.tree.map(lambda _: False, fitted.family)
        free = fitted.design.free
        seen = observed(data, fitted.keep)
        information, residuals = sensitivity(fitted.family, spec, jnp.asarray(fitted.starts), seen, free)
    active = fitted.mask.ravel() > 0
    count = int(np.asarray(seen.weight).sum() - (fitted.keep.sum() if free else 0)) * data.dimension
    return np.asarray(information)[np.ix_(active, active)], np.asarray(residuals), count


def _sparse_path(design: Design, data: SeriesSet, used: np.ndarray) -> dict[int, Fitted]:
    """All fits from the whole library down to one term, each time without the term that stands out least from its error.

    Source: stepwise sparse regression, Boninsegna, Nueske & Clementi (2018, J. Chem. Phys. 148, 241723); ours drops by the ratio
    of a coefficient to its standard error, so that units do not matter, and can refit by shooting after each term.
    """
    family = build(design, data, used, jax.random.key(0))
    x, z, control, weight = (np.asarray(part) for part in samples_of(design, data, used))
    features = np.asarray(jax.vmap(family.features)(jnp.asarray(x), jnp.asarray(control))).reshape(len(x), -1)[weight > 0]
    targets = z[weight > 0]
    shape = family.readout.shape
    mask = np.ones((shape[0], shape[2], shape[1]))
    path: dict[int, Fitted] = {}
    start = np.stack([one[0] for one in data.series])
    while mask.sum() >= max(1, shape[1]):
        active = mask.reshape(-1, shape[1])
        columns = [_least_squares(features, targets[:, i], active[:, i] > 0) for i in range(shape[1])]
        values, ratios, error = (np.stack(parts, axis=-1) for parts in zip(*columns, strict=True))
        readout = values.reshape(mask.shape).transpose(0, 2, 1)
        moved = eqx.tree_at(lambda f: f.readout, family, jnp.asarray(readout))
        scale = float(np.sqrt(np.mean((error / targets.std(axis=0)) ** 2)))
        fitted = Fitted(design, moved, scale, start, mask.transpose(0, 2, 1).copy(), used)
        if design.loss == "shooting":
            fitted = refine(fitted, data)
            shot = _ratios(fitted, data)
            ratios = shot.reshape(shape).transpose(0, 2, 1).reshape(-1, shape[1]) if shot is not None else ratios
        path[int(mask.sum())] = fitted
        weakest = np.where(active > 0, ratios, np.inf)
        weakest[:, active.sum(axis=0) <= 1] = np.inf  # one term at least for every variable
        if not np.isfinite(weakest).any():
            break
        mask.reshape(-1, shape[1])[np.unravel_index(np.argmin(weakest), weakest.shape)] = 0.0
    return path


def _least_squares(features: np.ndarray, target: np.ndarray, active: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(coefficients, |coefficient| / standard error up to a common factor, rms residual) on the active columns."""
    size = np.linalg.norm(features[:, active], axis=0)
    q, r = np.linalg.qr(features[:, active] / np.where(size > 0, size, 1.0))
    inverse = np.linalg.pinv(r)
    coefficient = inverse @ (q.T @ target)
    deviation = np.linalg.norm(inverse, axis=1)
    residual = target - q @ (r @ coefficient)
    spread = np.sqrt(np.mean(residual**2)) + 1e-300
    values, ratios = np.zeros(len(active)), np.zeros(len(active))
    values[active] = coefficient / np.where(size > 0, size, 1.0)
    ratios[active] = np.abs(coefficient) / (deviation * spread + 1e-300)
    return values, ratios, spread


def _ratios(fitted: Fitted, data: SeriesSet) -> np.ndarray | None:
    """|coefficient| / standard error by shooting, None where the orbits are of no use."""
    information, residuals, _ = _information(fitted, data)
    if not np.all(np.isfinite(information)) or not np.all(np.isfinite(residuals)):
        return None
    values, found = np.asarray(fitted.family.readout).ravel(), np.zeros(fitted.mask.size)
    deviation = np.sqrt(np.maximum(np.diag(np.linalg.pinv(information, hermitian=True)), 1e-300))
    active = fitted.mask.ravel() > 0
    found[active] = np.abs(values[active]) / deviation
    return found


def build(design: Design, data: SeriesSet, used: np.ndarray, key: jax.Array) -> Family:
    """The family of a design before it is fitted, in coordinates that suit the data."""
    link = LINKS[design.link]
    x, z, numbers = linked(data.where(used), link)
    control = data.where(used).known[numbers]
    body_key, move_key, direction_key = jax.random.split(key, 3)
    coefficients = make_coefficients(design.coefficients, design.order, control.shape[1], move_key)
    inputs = data.dimension + (control.shape[1] if coefficients.joins else 0)
    body = Library(inputs, design.degree) if design.main == "polynomial" else Network.init(
        body_key, inputs, design.hidden, design.activation
    )  # fmt: skip
    raw = design.main == "polynomial"
    scaling = scaling_of(x, z, control, design.powers, design.out_powers, raw)
    directions = _directions(body, coefficients.count, direction_key) if design.varies == "all" else None
    readout = jnp.zeros((1 + coefficients.count, data.dimension, body.count))
    family = Family(body, directions, readout, coefficients, scaling, link, data.dimension, data.time_step)
    return jax.tree.map(lambda a: a.astype(jnp.result_type(float)) if eqx.is_inexact_array(a) else a, family)


def _directions(body: PyTree, count: int, key: jax.Array) -> PyTree:
    """Small random theta_k for every array of the body."""
    arrays = eqx.filter(body, eqx.is_inexact_array)
    leaves, tree = jax.tree.flatten(arrays)
    keys = jax.random.split(key, max(1, len(leaves)))
    drawn = [0.1 / np.sqrt(max(1, count)) * jax.random.normal(k, (count, *a.shape)) for k, a in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(tree, drawn)


def samples_of(design: Design, data: SeriesSet, used: np.ndarray) -> Samples:
    """(x, z, control, weight) of all series, weight 0 for those not used."""
    x, z, numbers = linked(data, LINKS[design.link])
    parts = (x, z, data.known[numbers], used[numbers].astype(np.float64))
    x, z, control, weight = (jnp.asarray(part, jnp.result_type(float)) for part in parts)
    return x, z, control, weight


def predicted_orbits(fitted: Fitted, data: SeriesSet) -> np.ndarray:
    """Residuals (series, steps, state) of the fitted orbits, in units of the states' spread."""
    with jax.enable_x64(True):
        seen: Observed = observed(data)
        return np.asarray(orbit_residuals(fitted.family, jnp.asarray(fitted.starts), seen))


def _root(value: jax.Array) -> float:
    number = float(jnp.sqrt(value))
    return number if np.isfinite(number) else np.inf
