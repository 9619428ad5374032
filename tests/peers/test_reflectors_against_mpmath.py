"""Products of reflectors and their gradients against values of mpmath 1.4.1 (40 digits), rounded to float64."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.weights.householder import multiply, multiply_plain

VALUES = np.load(Path(__file__).parent / "data" / "orthogonal_A.npz")
CASES = ["A1_n5_m5", "A2_n16_m4", "A3_n24_m24_trapezoid"]

pytestmark = pytest.mark.x64


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", CASES)
def test_products_inverse_and_gradient(name):
    def value(key):
        return jnp.asarray(VALUES[f"{name}/{key}"])

    trapezoid = "trapezoid" in name
    u, v, s, x, y = (value(key) for key in ("VU", "VV", "s", "X", "Y"))

    @jax.jit
    def both(u, v, x, y):
        def q(rows, columns, transposed):
            return multiply(columns.T, rows, transposed, trapezoid).T  # pyright: ignore

        return q(u, y, False), q(u, y, True), q(u, s[:, None] * q(v, x, True), False), q(v, q(u, y, True) / s[:, None], False)

    found = both(u, v, x, y)
    for key, array, condition in zip(("UX", "UTX", "WX", "WinvX"), found, (1, 1, 1, VALUES[f"{name}/cond"]), strict=True):
        wanted = VALUES[f"{name}/{key}"]
        assert_allclose(array, wanted, atol=1e-13 * condition * np.abs(wanted).max(), err_msg=key)

    wanted = VALUES[f"{name}/grad_sum_G_U_wrt_VU"]
    products: tuple[Any, ...] = (multiply, multiply_plain)
    for product in products:
        gradient = jax.jit(jax.grad(lambda u, f=product: jnp.sum(value("G").T * f(jnp.eye(u.shape[1]), u, False, trapezoid))))(u)
        assert_allclose(gradient, wanted, atol=1e-13 * np.abs(wanted).max())
