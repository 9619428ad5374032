r"""The tangent kernel of a finite network: $\Theta_{ij}(x, x') = \nabla_\theta f_i(x) \cdot \nabla_\theta f_j(x')$.

For an affine layer the sum over its weights factorizes into a Gram matrix of what enters the layer times one of what comes back
to it, so the Jacobian is never formed: n² (inputs + k² outputs) multiplications per layer instead of n² k² inputs outputs, and
for a trace k in the place of k². What comes back to the last two layers is shared by all samples (see `taps`): there a trace
needs no k at all.

Source: Novak, Sohl-Dickstein & Schoenholz (2022, arXiv 2206.08720, structured derivatives). Layers that are not affine over a
free matrix fall back on contracted Jacobians, in blocks of rows.
"""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.networks import ntk
from parametra.wide.apply import apply, apply_one, refuse_no_parameters
from parametra.wide.kernel import check_inputs
from parametra.wide.taps import Deltas, UntappableError, signals

JACOBIAN_BYTES = 2**28
UNROLLED = 32  # outputs up to which a trace is summed one product after the other, each from memory as it lies
EXTRA_AXES = {"trace": 0, "diagonal": 1, "full": 2}  # of the outputs, behind (n1, n2)


def empirical_ntk(
    model: Callable[..., Any], x1: Float[Array, "n1 ..."], x2: Float[Array, "n2 ..."] | None = None, kind: str = "trace", *,
    structured: bool = True,
) -> Float[Array, "..."]:  # fmt: skip
    """The tangent kernel of `model`, any Equinox network of a batch or of one sample.

    Args:
        model: the network; all its floating-point arrays count as parameters.
        x1: inputs.
        x2: other inputs; x1 again where None.
        kind: "trace", (n1, n2), the mean over outputs i = j, which a wide network's analytic kernel is the limit of; "diagonal",
            (n1, n2, outputs), i = j; "full", (n1, n2, outputs, outputs).
        structured: False forces contracted Jacobians, for comparison.

    Raises:
        UsageError: shapes that do not fit, NaN, half precision, an unknown kind, a network without parameters.
    """
    check_inputs(x1, x2)
    refuse_no_parameters(model)
    if kind not in EXTRA_AXES:
        raise UsageError(f'kind="{kind}" is unknown. Known: trace, diagonal, full.')
    return _ntk(model, x1, x2, kind, structured)


@eqx.filter_jit
def _ntk(model: Callable[..., Any], x1: Array, x2: Array | None, kind: str, structured: bool) -> Array:
    other = x1 if x2 is None else x2
    if len(x1) == 0 or len(other) == 0:
        outputs = eqx.filter_eval_shape(apply, model, x1).shape[-1]
        return jnp.zeros((len(x1), len(other), *(outputs,) * EXTRA_AXES[kind]), x1.dtype)
    if structured:
        try:
            return _structured(model, x1, x2, kind)
        except UntappableError:
            pass
    return _contracted(model, x1, other, kind)


def _structured(model: Callable[..., Any], x1: Array, x2: Array | None, kind: str) -> Array:
    one = signals(model, x1)
    two = one if x2 is None else signals(model, x2)
    terms = [_layer(layer, a1, d1, a2, d2, kind) for (layer, a1, d1), (_, a2, d2) in zip(one, two, strict=True)]
    return sum(terms[1:], terms[0])


def _layer(layer: Any, a1: Array, d1: Deltas, a2: Array, d2: Deltas, kind: str) -> Array:
    """One affine layer's share; `a` (n, ..., inputs) entered it, `d` came back."""
    if isinstance(layer, ntk.Conv) or a1.ndim > 2:  # weights shared by pixels: their gradients are formed, (k, n, parameters)
        return _product(_weight_gradients(layer, a1, d1.whole()), _weight_gradients(layer, a2, d2.whole()), kind)
    w, b = layer.scales if isinstance(layer, ntk.Dense) else (1.0, 1.0)
    forward = w * w * _times(a1, a2.T) + (0.0 if layer.bias is None else b * b)
    if kind == "trace" and d1.slopes is not None and d2.slopes is not None:
        back = _times(d1.slopes * jnp.mean(d1.matrix * d2.matrix, 0), d2.slopes.T)
    else:
        back = _product(d1.whole(), d2.whole(), kind)
    return back * forward.reshape(*forward.shape, *(1,) * EXTRA_AXES[kind])


def _product(one: Array, two: Array, kind: str) -> Array:
    """Inner products over the last axis of (k, n1, m) and (k, n2, m)."""
    (k, n1, m), n2 = one.shape, two.shape[1]
    if kind == "trace" and k <= UNROLLED:
        return functools.reduce(jnp.add, [_times(a, b.T) for a, b in zip(one, two, strict=True)]) / k
    if kind == "trace":
        return jnp.einsum("kam,kbm->ab", one, two, precision="highest") / k
    if kind == "diagonal":
        return jnp.einsum("kam,kbm->abk", one, two, precision="highest")
    return _times(one.reshape(k * n1, m), two.reshape(k * n2, m).T).reshape(k, n1, k, n2).transpose(1, 3, 0, 2)


def _weight_gradients(layer: Any, a: Array, d: Array) -> Array:
    """(k, n, parameters of the layer)."""
    free, fixed = eqx.partition(layer, eqx.is_inexact_array)

    def one(a: Array, d: Array) -> Array:
        _, back = jax.vjp(lambda free: eqx.combine(free, fixed)(a), free)
        return jax.vmap(lambda row: jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(back(row))]))(d)

    return jax.vmap(one, (0, 1), 1)(a, d)


def _contracted(model: Callable[..., Any], x1: Array, x2: Array, kind: str) -> Array:
    """Jacobians multiplied out, so many rows at a time that one block of them stays within JACOBIAN_BYTES."""
    free, fixed = eqx.partition(model, eqx.is_inexact_array)
    count = sum(leaf.size for leaf in jax.tree.leaves(free))

    def jacobian(x: Array) -> Array:
        rows = jax.jacrev(lambda free: jnp.ravel(apply_one(eqx.combine(free, fixed), x)))(free)
        return jnp.concatenate([leaf.reshape(leaf.shape[0], -1) for leaf in jax.tree.leaves(rows)], 1)

    outputs = jax.eval_shape(lambda x: jnp.ravel(apply_one(eqx.combine(free, fixed), x)), x1[0]).shape[0]
    rows = max(1, min(len(x2), JACOBIAN_BYTES // max(1, outputs * count * x1.dtype.itemsize)))

    def strip(x: Array) -> Array:
        mine = jacobian(x)[:, None]
        return jax.lax.map(lambda other: _product(mine, jacobian(other)[:, None], kind)[0, 0], x2, batch_size=rows)

    return jax.lax.map(strip, x1)


def _times(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision="highest")
