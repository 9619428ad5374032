"""Empirical kernel and linearization against neural-tangents (git c17e770, jax 0.5.3, float64)."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.networks import ntk
from parametra.wide import empirical_ntk, jacobian_product, linearize, ntk_product, transpose_product

ARRAYS = np.load(Path(__file__).parent / "data" / "empirical_A.npz")
W_STD, B_STD = 1.5, 0.1  # of empirical_A.json


def array(name):
    return jnp.asarray(ARRAYS[f"A1_erf/{name}"])


def network(prefix=""):
    layers = []
    for number in range(3):
        weight, bias = array(f"W{number}").T, array(f"b{number}")
        if prefix:
            weight, bias = weight + array(f"dW{number}").T, bias + array(f"db{number}")
        layers += [ntk.Erf()] if number else []
        layers.append(ntk.Dense(weight, bias, W_STD, B_STD))
    return ntk.Chain(tuple(layers))


@pytest.mark.x64
def test_kernel_products_and_taylor_polynomials():
    with jax.enable_x64(True):
        model, moved, x1, x2 = network(), network("d"), array("x1"), array("x2")
        tight = {"rtol": 0, "atol": 1e-12}
        full = array("ntk_full")
        assert_allclose(model(x1), array("f1"), **tight)
        assert_allclose(empirical_ntk(model, x1, x2, "full"), full, **tight)
        assert_allclose(empirical_ntk(model, x1, None, "full"), array("ntk_full_11"), **tight)
        assert_allclose(empirical_ntk(model, x1, x2), array("ntk_trace"), **tight)
        assert_allclose(empirical_ntk(model, x1, x2, "diagonal"), jnp.einsum("abii->abi", full), **tight)
        assert_allclose(empirical_ntk(model, x1, x2, "full", structured=False), full, **tight)
        v = array("f2")
        assert_allclose(ntk_product(model, x1, x2, v), jnp.einsum("abij,bj->ai", full, v), **tight)
        back = transpose_product(model, x2, v)
        assert_allclose(jacobian_product(model, x1, back), jnp.einsum("abij,bj->ai", full, v), **tight)
        assert_allclose(linearize(model).at(moved)(x1), array("f1_linearized_at_W_plus_dW"), **tight)
        assert_allclose(linearize(model, 2).at(moved)(x1), array("f1_quadratic_taylor2_at_W_plus_dW"), **tight)
        assert eqx.tree_equal(linearize(model)(x1), model(x1))
