"""A convolution, channels last, whose gradients are as fast inside a compiled loop as outside.

XLA brings the convolutions of a program's entry into the form that its CPU kernels know, but not those of a loop's body: there
the gradients that JAX derives, which only relabel axes, run 20 times slower. Ours are convolutions in that form already, between
explicit transposes. The primitive is bilinear, so derivatives of every order and direction follow from these two.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

from parametra.weights.meshes import divided

Padding = str | Sequence[tuple[int, int]]
FEW = 8  # pairs of signal and kernel that are convolved one after another under vmap


def convolve(
    x: Float[Array, "batch *space inputs"],
    taps: Float[Array, "*window inputs outputs"],
    strides: Sequence[int] | int = 1,
    padding: Padding = "SAME",
) -> Float[Array, "batch *out outputs"]:
    """The convolution (in the sense of networks: a correlation) of signals with a kernel, both channels last.

    Args:
        x: signals.
        taps: a matrix for each place of the window.
        strides: steps of the window, one number or one for each axis of space.
        padding: "SAME", "VALID", or zeros before and behind for each axis.
    """
    axes = x.ndim - 2
    strides = (strides,) * axes if isinstance(strides, int) else tuple(strides)
    if isinstance(padding, str):
        padding = jax.lax.padtype_to_pads(x.shape[1:-1], taps.shape[:-2], strides, padding)
    pads = tuple((int(before), int(behind)) for before, behind in padding)
    options = {"strides": strides, "padding": pads, "spread": (1,) * axes, "dilation": (1,) * axes}
    if jax.default_backend() != "cpu" or divided(x, taps) or 0 in _shape(x, taps, **options).shape:
        return _convolution(x, taps, **options)
    return convolution.bind(x, taps, **options)


def _convolution(x: Array, taps: Array, *, strides: Any, padding: Any, spread: Any, dilation: Any) -> Array:
    space = "XYZ"[: x.ndim - 2]
    numbers = (f"N{space}C", f"{space}IO", f"N{space}C")
    return jax.lax.conv_general_dilated(x, taps, strides, padding, spread, dilation, numbers)


def _shape(x: Any, taps: Any, **options: Any) -> Any:
    return jax.eval_shape(partial(_convolution, **options), *(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in (x, taps)))


def _type(x: Any, taps: Any, **options: Any) -> Any:
    out = _shape(x, taps, **options)
    return x.update(shape=out.shape, dtype=out.dtype)


def _to_signal(cotangent: Array, x: Any, taps: Array, *, strides: Any, padding: Any, spread: Any, dilation: Any) -> Array:
    """Gradient by the signal: the cotangent, spread by the strides, meets the kernel turned round."""
    pads = []
    for n, o, k, s, (before, _), p, d in zip(
        x.aval.shape[1:-1], cotangent.shape[1:-1], taps.shape[:-2], strides, padding, spread, dilation, strict=True
    ):
        pads.append(((k - 1) * d - before, (n - 1) * p - (o - 1) * s + before))
    turned = jnp.swapaxes(jnp.flip(taps, range(taps.ndim - 2)), -1, -2)
    return convolution.bind(cotangent, turned, strides=spread, padding=tuple(pads), spread=strides, dilation=dilation)


def _to_taps(cotangent: Array, x: Array, taps: Any, *, strides: Any, padding: Any, spread: Any, dilation: Any) -> Array:
    """Gradient by the kernel: the signal meets the cotangent, with batch and channels in each other's place."""
    pads = []
    for n, o, k, s, (before, _), p, d in zip(
        x.shape[1:-1], cotangent.shape[1:-1], taps.aval.shape[:-2], strides, padding, spread, dilation, strict=True
    ):
        pads.append((before, (k - 1) * d + (o - 1) * s - (n - 1) * p - before))
    found = convolution.bind(
        jnp.swapaxes(x, 0, -1), jnp.moveaxis(cotangent, 0, -2), strides=dilation, padding=tuple(pads), spread=spread,
        dilation=strides,
    )  # fmt: skip
    return jnp.moveaxis(found, 0, -2)


def _batched(operands: Any, axes: Any, **options: Any) -> tuple[Array, int]:
    """Many signals are one longer batch, many kernels one with more outputs; a few of both come one after another.

    XLA's own rule for both at once, groups of channels, is slow on a CPU; it is left the cases where a list would be long.
    """
    (x, taps), (of_x, of_taps) = operands, axes
    if of_taps is None:
        x = jnp.moveaxis(x, of_x, 0)
        out = convolution.bind(x.reshape(-1, *x.shape[2:]), taps, **options)
        return out.reshape(*x.shape[:2], *out.shape[1:]), 0
    if of_x is None:
        taps = jnp.moveaxis(taps, of_taps, -2)
        out = convolution.bind(x, taps.reshape(*taps.shape[:-2], -1), **options)
        return out.reshape(*out.shape[:-1], *taps.shape[-2:]), out.ndim - 1
    if x.shape[of_x] <= FEW:
        each = zip(jnp.moveaxis(x, of_x, 0), jnp.moveaxis(taps, of_taps, 0), strict=True)
        return jnp.stack([convolution.bind(*pair, **options) for pair in each]), 0
    return jax.vmap(partial(_convolution, **options), axes)(x, taps), 0


convolution = Primitive("channels_last_convolution")
convolution.def_impl(_convolution)
convolution.def_abstract_eval(_type)
mlir.register_lowering(convolution, mlir.lower_fun(_convolution, multiple_results=False))
batching.primitive_batchers[convolution] = _batched
ad.defbilinear(convolution, _to_signal, _to_taps)
