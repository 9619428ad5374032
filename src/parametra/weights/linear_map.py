"""A linear map whose adjoint is known, and faster than the one that JAX would derive.

As a primitive it has derivatives of both directions and every order, and keeps its adjoint under `vmap`; `jax.custom_vjp` would
have reverse mode alone.
"""

from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array

from parametra.weights.meshes import divided

Forth = Callable[[tuple[Array, ...], Any], Array]
Back = Callable[[Array, Any], tuple[Array, ...]]


def linear_map(name: str, forth: Forth, back: Back) -> Callable[[tuple[Array, ...], Hashable], Array]:
    """The map from several arrays to one as a function of (arrays, static).

    Args:
        name: of the primitive.
        forth: (arrays, static) to the array, linear.
        back: its adjoint, (array, static) to arrays.
    """
    primitive = Primitive(name)

    def run(*arrays: Array, static: Hashable, batch: int) -> Array:
        return _many(lambda *parts: forth(parts, static), batch)(*arrays)

    def shape(*arrays: Any, static: Hashable, batch: int) -> Any:
        parts = (jax.ShapeDtypeStruct(array.shape, array.dtype) for array in arrays)
        out = jax.eval_shape(lambda *parts: run(*parts, static=static, batch=batch), *parts)
        return arrays[0].update(shape=out.shape, dtype=out.dtype)

    def adjoint(cotangent: Array, *_: Any, static: Hashable, batch: int) -> tuple[Array, ...]:
        return _many(lambda array: back(array, static), batch)(cotangent)

    def batched(arrays: Any, axes: Any, *, static: Hashable, batch: int) -> tuple[Array, int]:
        size = next(array.shape[axis] for array, axis in zip(arrays, axes, strict=True) if axis is not None)
        each = (
            jnp.broadcast_to(array, (size, *array.shape)) if axis is None else jnp.moveaxis(array, axis, 0)
            for array, axis in zip(arrays, axes, strict=True)
        )
        return primitive.bind(*each, static=static, batch=batch + 1), 0

    primitive.def_impl(jax.jit(run, static_argnames=("static", "batch")))
    primitive.def_abstract_eval(shape)
    mlir.register_lowering(primitive, mlir.lower_fun(run, multiple_results=False))
    ad.deflinear2(primitive, adjoint)
    batching.primitive_batchers[primitive] = batched

    def apply(arrays: tuple[Array, ...], static: Hashable) -> Array:
        if divided(*arrays):
            return forth(arrays, static)
        return primitive.bind(*arrays, static=static, batch=0)

    return apply


def _many(function: Callable, batch: int) -> Callable:
    for _ in range(batch):
        function = jax.vmap(function)
    return function
