r"""One-step fit: the last layer by least squares, everything before it by Levenberg-Marquardt through that solution.

For fixed features the best readout B is that of a ridge regression, A B = v; what is left of the residual is a function of the
inner parameters alone (variable projection: Golub & Pereyra 1973, SIAM J. Numer. Anal. 10, 413). A network whose inner layers
have tens of parameters is then fitted to a precision that gradient steps on all parameters do not reach.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import optimistix as optx
from jaxtyping import Array, Float, PyTree

from parametra.dynamics.bodies import Network
from parametra.dynamics.family import Family

Samples = tuple[
    Float[Array, "sample state"], Float[Array, "sample state"], Float[Array, "sample control"], Float[Array, " sample"]
]


def inner(family: Family, learn_powers: bool = False) -> PyTree:
    """A tree of booleans like `family`: which arrays a fit trains besides the readout."""
    spec = jax.tree.map(lambda _: False, family)
    trained = jax.tree.map(eqx.is_inexact_array, (family.body, family.directions, family.coefficients))
    where = lambda f: (f.body, f.directions, f.coefficients)
    spec = eqx.tree_at(where, spec, trained, is_leaf=lambda leaf: leaf is None)
    if isinstance(family.body, Network) and family.body.tail is not None:  # chosen, not trained
        spec = eqx.tree_at(lambda f: f.body.tail, spec, False)
    return eqx.tree_at(lambda f: f.scaling.powers, spec, learn_powers)


def solve_readout(family: Family, samples: Samples, ridge: Array) -> tuple[Family, Array]:
    """The family with its best readout, and its residuals (sample * state, then the penalty's), in scaled units."""
    x, z, control, weight = samples
    features = jax.vmap(family.features)(x, control).reshape(len(x), -1)
    targets = jax.vmap(family.scaling.targets)(z, control)
    columns = features.shape[1]
    penalty = jnp.sqrt(ridge * weight.sum()) * jnp.eye(columns, dtype=features.dtype)
    matrix = jnp.concatenate([weight[:, None] * features, penalty])
    right = jnp.concatenate([weight[:, None] * targets, jnp.zeros((columns, targets.shape[1]), targets.dtype)])
    q, r = jnp.linalg.qr(matrix)
    solution = jax.scipy.linalg.solve_triangular(r, q.T @ right)
    residual = right - matrix @ solution
    readout = solution.reshape(*family.readout.shape[::2], -1).transpose(0, 2, 1)
    return eqx.tree_at(lambda f: f.readout, family, readout), residual.ravel()


@eqx.filter_jit
def fit_one_step(family: Family, spec: PyTree, samples: Samples, ridge: Array, steps: int, adam: int) -> tuple[Family, Array]:
    """The fitted family and its mean squared residual in scaled units; `steps` and `adam` as in a design."""
    free, fixed = eqx.partition(family, spec)

    def residuals(free: PyTree, args: Any) -> Array:
        return solve_readout(eqx.combine(free, fixed), samples, ridge)[1]

    if jax.tree.leaves(free):
        if adam:
            free = _descend(lambda tree: jnp.sum(residuals(tree, None) ** 2), free, adam)
        solver = optx.LevenbergMarquardt(rtol=1e-10, atol=1e-14)
        free = optx.least_squares(residuals, solver, free, options={"jac": "fwd"}, max_steps=steps, throw=False).value
    fitted, residual = solve_readout(eqx.combine(free, fixed), samples, ridge)
    return fitted, jnp.sum(residual**2) / jnp.sum(samples[3] > 0)


def _descend(loss: Any, start: PyTree, steps: int) -> PyTree:
    optimiser = optax.adam(optax.cosine_decay_schedule(1e-2, steps))

    def step(carry: Any, _: None) -> tuple[Any, None]:
        tree, state = carry
        gradient = jax.grad(loss)(tree)
        updates, state = optimiser.update(gradient, state, tree)
        return (optax.apply_updates(tree, updates), state), None

    return jax.lax.scan(step, (start, optimiser.init(start)), None, length=steps)[0][0]
