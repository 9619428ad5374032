"""From a design and series to a family."""

from collections.abc import MutableMapping
from dataclasses import dataclass, replace

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
from parametra.dynamics.shooting import observed, sensitivity, shoot
from parametra.dynamics.sparse import sparse_supports

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
        whole = design.model_copy(update={"terms": 0, "loss": "one-step"})
        known = {} if paths is None else paths
        if whole not in known:
            known[whole] = _sparse(whole, data, used)
        if design.terms not in known[whole]:
            span = f"{min(known[whole])} to {max(known[whole])}"
            raise UsageError(
                f"The library of {whole.label} can keep {span} terms, {design.terms} were asked. Remedy: another number."
            )
        fitted = replace(known[whole][design.terms], design=design)
        return refine(fitted, data) if design.loss == "shooting" else fitted
    first = np.stack([one[0] for one in data.series])
    family, error = fit_samples(design, samples_of(design, data, used), seed=seed, time_step=data.time_step)
    fitted = Fitted(design, family, error, first, np.ones(family.readout.shape), used)
    return refine(fitted, data) if design.loss == "shooting" else fitted


def fit_samples(design: Design, samples: Samples, *, seed: int = 0, time_step: float = 1.0) -> tuple[Family, float]:
    """The family with the least squared error of its linked quantity on samples (x, z, control, weight), and that error, rms.

    For pairs that are no series, such as states and sub-grid tendencies; the best of `design.restarts` random starts.

    Raises:
        UsageError: no start gave finite numbers.
    """
    best: tuple[Family, float] | None = None
    ridge = jnp.asarray(max(design.ridge, SMALLEST_RIDGE))
    for start in range(1 if design.main == "polynomial" else design.restarts):
        family = build(design, samples, jax.random.key(seed * 1000 + start), time_step)
        spec = inner(family, design.learn_powers)
        family, square = fit_one_step(family, spec, samples, ridge, design.steps, design.adam)
        error = _root(square)
        if best is None or error < best[1]:
            best = family, error
    assert best is not None
    if not np.isfinite(best[1]):
        raise UsageError(f"The fit of {design.label} gave no finite numbers. Remedy: a larger ridge, or another seed.")
    return best


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


def _sparse(design: Design, data: SeriesSet, used: np.ndarray) -> dict[int, Fitted]:
    """One-step fits of the library with every number of terms that the stepwise search gives."""
    samples = samples_of(design, data, used)
    family = build(design, samples, jax.random.key(0), data.time_step)
    x, z, control, weight = (np.asarray(part) for part in samples)
    features = np.asarray(jax.vmap(family.features)(jnp.asarray(x), jnp.asarray(control))).reshape(len(x), -1)[weight > 0]
    moving, states, bodies = family.readout.shape
    starts = np.stack([one[0] for one in data.series])
    found = {}
    for support in sparse_supports(features, z[weight > 0]):
        mask, values = (part.reshape(moving, bodies, states).transpose(0, 2, 1) for part in (support.mask, support.values))
        moved = eqx.tree_at(lambda f: f.readout, family, jnp.asarray(values))
        found[int(mask.sum())] = Fitted(design, moved, support.error, starts, mask, used)
    return found


def build(design: Design, samples: Samples, key: jax.Array, time_step: float = 1.0) -> Family:
    """The family of a design before it is fitted, in coordinates that suit the samples that weigh something."""
    x, z, control, weight = (np.asarray(part) for part in samples)
    x, z, control = x[weight > 0], z[weight > 0], control[weight > 0]
    body_key, move_key, direction_key = jax.random.split(key, 3)
    coefficients = make_coefficients(design.coefficients, design.order, control.shape[1], move_key)
    inputs = x.shape[1] + (control.shape[1] if coefficients.joins else 0)
    body = Library(inputs, design.degree) if design.main == "polynomial" else Network.init(
        body_key, inputs, design.hidden, design.activation, design.tail
    )  # fmt: skip
    raw = design.main == "polynomial"
    scaling = scaling_of(x, z, control, design.powers, design.out_powers, raw=raw, learned=design.learn_powers)
    directions = _directions(body, coefficients.count, direction_key) if design.varies == "all" else None
    readout = jnp.zeros((1 + coefficients.count, z.shape[1], body.count))
    family = Family(body, directions, readout, coefficients, scaling, LINKS[design.link], x.shape[1], time_step)
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


def _root(value: jax.Array) -> float:
    number = float(jnp.sqrt(value))
    return number if np.isfinite(number) else np.inf
