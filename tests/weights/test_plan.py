"""The planner counts what XLA counts."""

import jax
import jax.numpy as jnp
import pytest
from numpy.testing import assert_allclose

from parametra.weights import (
    block4,
    chunk,
    circulant,
    dense,
    dihedrally_symmetric,
    eigen,
    hadamard,
    ldl,
    quarter,
    spectral,
    symmetric,
)

SIZE, ROWS = 256, 64


@pytest.mark.parametrize(
    "scheme",
    [
        dense(),
        symmetric(),
        hadamard(4),
        hadamard(8),
        circulant(4),
        quarter(),
        block4(),
        chunk(2, 2),
        eigen(16),
        ldl(),
    ],
    ids=lambda scheme: scheme.name,
)
def test_flops_of_a_product(scheme):
    weight = jax.eval_shape(lambda: scheme(jnp.ones((SIZE, SIZE))))
    x = jax.ShapeDtypeStruct((ROWS, SIZE), jnp.float32)
    counted = jax.jit(lambda w, v: w.apply(v)).lower(weight, x).compile().cost_analysis()["flops"]  # pyright: ignore[reportOptionalSubscript]
    plan = weight.plan(ROWS)
    # XLA also counts what makes a matrix, one addition per entry or so, and fuses some additions twice.
    assert_allclose(counted, plan.flops, rtol=0.12)
    assert plan.dense_flops == 2 * ROWS * SIZE**2
    assert plan.bytes == 4 * plan.parameters


@pytest.mark.parametrize(
    "scheme",
    [dense(), hadamard(4), dihedrally_symmetric(), ldl(), eigen(8), block4(), chunk(2, 2)],
    ids=lambda scheme: scheme.name,
)
def test_flops_of_a_convolution(scheme):
    kernel = jax.eval_shape(lambda: scheme(jnp.ones((64, 64, 3, 3))))
    x = jax.ShapeDtypeStruct((2, 8, 8, 64), jnp.float32)
    counted = jax.jit(lambda w, v: w.apply(v, 1, ((0, 0), (0, 0)))).lower(kernel, x).compile().cost_analysis()["flops"]  # pyright: ignore[reportOptionalSubscript]
    assert_allclose(counted, kernel.plan(2 * 6 * 6).flops, rtol=0.12)


def test_a_spectral_kernel_is_not_as_cheap_as_a_free_one():
    """The matrix is made from its reflectors: the plan has their products, XLA counts the small triangular inverses too."""
    kernel = jax.eval_shape(lambda: spectral()(jnp.ones((64, 64, 3, 3))))
    x = jax.ShapeDtypeStruct((2, 8, 8, 64), jnp.float32)
    counted = jax.jit(lambda w, v: w.apply(v)).lower(kernel, x).compile().cost_analysis()["flops"]  # pyright: ignore[reportOptionalSubscript]
    plan = kernel.plan(128)
    assert plan.dense_flops < plan.flops < counted < 3 * plan.flops


def test_gain_is_the_order_of_the_group():
    plan = jax.eval_shape(lambda: hadamard(4)(jnp.ones((1024, 1024)))).plan(128)
    assert_allclose(plan.gain, 4, rtol=0.02)
    assert plan.parameters == 1024**2 // 4
