"""Laws of weights: `apply` is the product with `unwrap`, and nothing pretends to know a closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import paramax
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.weights import AbstractWeight, Dense, glorot_uniform, he_normal


class Doubled(AbstractWeight):
    """A user's weight in the fewest lines: only `shape` and `unwrap`."""

    inner: jax.Array

    @property
    def shape(self):
        return self.inner.shape[0], self.inner.shape[1]

    def unwrap(self):
        return 2.0 * self.inner


WEIGHTS = [Dense.init(jax.random.key(0), 3, 5), Doubled(jnp.ones((3, 5)))]


@pytest.mark.parametrize("weight", WEIGHTS, ids=lambda weight: type(weight).__name__)
def test_apply_is_the_product_with_unwrap(weight):
    x = jax.random.normal(jax.random.key(1), (2, 4, 5))
    assert weight.shape == weight.unwrap().shape == (3, 5)
    assert_allclose(weight.apply(x), jnp.einsum("oi,abi->abo", weight.unwrap(), x), rtol=1e-5, atol=1e-6)
    assert_allclose(weight.apply(x[0, 0]), weight.apply(x)[0, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weight", WEIGHTS, ids=lambda weight: type(weight).__name__)
def test_paramax_materialises_it(weight):
    np.testing.assert_array_equal(paramax.unwrap({"w": weight})["w"], weight.unwrap())


@pytest.mark.parametrize("ask", ["singular_values", "log_abs_det"])
def test_unknown_closed_forms_are_refused_with_cause_and_remedy(ask):
    with pytest.raises(UsageError, match="Dense of shape.*closed form.*Likely cause.*Remedy"):
        getattr(WEIGHTS[0], ask)()
    with pytest.raises(UsageError, match="inverse"):
        WEIGHTS[0].inverse_apply(jnp.ones(3))


def test_initial_values_have_the_variance_they_promise():
    key = jax.random.key(2)
    assert_allclose(glorot_uniform(key, 300, 500).var(), 2 / 800, rtol=0.02)
    assert_allclose(he_normal(key, 300, 500, slope=0.3).var(), 2 / (1.09 * 500), rtol=0.02)
    assert Dense.init(key, 4, 6, he_normal).shape == (4, 6)
