"""What a first user ran into: silent wrong numbers, wrong causes, values that could not leave a bound."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.networks import RNNCell, lipschitz_bound
from parametra.weights import (
    Reflectors,
    SpectralWeight,
    circulant,
    decay_mask,
    dihedrally_symmetric,
    eigen,
    hadamard,
    ldl,
    orthogonal,
    parametrize,
    renormalise,
    spectral,
    spectral_symmetric,
    symmetric,
)

KEY = jax.random.key(0)
MATRIX = jax.random.normal(KEY, (8, 8))
MODEL = eqx.nn.MLP(8, 8, width_size=8, depth=2, key=KEY)


@pytest.mark.parametrize("shape", [(4, 4), (2, 4), (8, 7), (16,)])
def test_inputs_of_another_width_are_refused(shape):
    with pytest.raises(UsageError, match="8 inputs"):
        symmetric()(MATRIX).apply(jnp.ones(shape))
    for scheme in (spectral(), spectral(2, (0.5, 1.0)), orthogonal(), spectral_symmetric()):
        with pytest.raises((UsageError, TypeError)):  # the dense matrix is made for many rows: then jax refuses
            scheme(MATRIX).apply(jnp.ones(shape))
    for multiply in (spectral(2)(MATRIX).left.apply, spectral(2)(MATRIX).left.transpose_apply):
        with pytest.raises(UsageError, match="its last axis must agree"):
            multiply(jnp.ones(shape))


def test_what_has_no_inverse_is_refused_and_has_a_pseudo_inverse():
    weight = SpectralWeight.from_matrix(jnp.diag(jnp.array([1.0, 2.0, 0.0])))
    for inverse in (weight.inverse, lambda: weight.inverse_apply(jnp.ones(3))):
        with pytest.raises(UsageError, match="singular value of zero.*pseudo_inverse"):
            inverse()
    assert_allclose(weight.pseudo_inverse().unwrap(), np.diag([1.0, 0.5, 0.0]), atol=1e-6)


def test_reflectors_whose_squares_overflow_are_refused():
    with pytest.raises(UsageError, match="beyond float32.*divide each row"):
        Reflectors.from_rows(1e19 * MATRIX)


def test_a_kernel_with_one_tap_that_a_scheme_cannot_hold_is_refused_as_its_matrix_is():
    kernel = jax.random.normal(jax.random.key(0), (8, 8, 3, 3)).at[:, :, 1, 1].set(0.0)
    with pytest.raises(UsageError, match="minor"):
        ldl()(kernel)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_circulants_have_no_half_precision(dtype):
    with pytest.raises(UsageError, match="needs float32 or float64"):
        circulant(4)(MATRIX.astype(dtype))


@pytest.mark.parametrize("bounds", [(0.99, 1.01), (0.999, 1.001), (1000.0, 1000.01)])
def test_narrow_bounds_hold_in_float32(bounds):
    weight = spectral(bounds=bounds)(MATRIX)
    values = np.asarray(weight.singular_values())
    assert np.isfinite(np.asarray(weight.free)).all()
    assert (values >= bounds[0] * (1 - 1e-6)).all()
    assert (values <= bounds[1] * (1 + 1e-6)).all()


def test_bounds_that_float32_cannot_tell_apart_are_refused():
    with pytest.raises(UsageError, match="hardly apart"):
        spectral(bounds=(1000.0, 1000.0001))(MATRIX)


def test_a_clipped_value_can_leave_its_bound():
    weight = spectral(bounds=(0.5, 1.0))(10.0 * MATRIX)
    slope = eqx.filter_grad(lambda w: jnp.sum(w.singular_values()))(weight)
    assert float(jnp.abs(slope.free).min()) > 4e-3  # 1 % of the way, 0.01 * 0.99 of the width


def test_every_pattern_of_a_list_must_select():
    with pytest.raises(UsageError, match=r"'layrs\.1\.weight' selects nothing"):
        parametrize(MODEL, ["layers.0.weight", "layrs.1.weight"], hadamard(4))
    with pytest.raises(UsageError, match="selects nothing"):
        parametrize(MODEL, [], hadamard(4))


@pytest.mark.parametrize(("scheme", "array"), [(hadamard(4), 0.0 * MATRIX), (symmetric(), MATRIX - MATRIX.T)])
def test_the_scale_of_nothing_is_kept_as_nothing(scheme, array):
    model = eqx.tree_at(lambda m: m.layers[0].weight, MODEL, array)
    made = parametrize(model, "layers.0.weight", scheme, keep="scale")
    assert float(jnp.abs(made.layers[0].weight.unwrap()).max()) < 1e-6


def test_modrelu_with_a_positive_bias_has_no_bound():
    cell = RNNCell.spectral(KEY, 4, 2, activation="modrelu")
    assert np.isfinite(lipschitz_bound(eqx.tree_at(lambda c: c.bias, cell, -jnp.ones(4))))
    assert np.isinf(lipschitz_bound(eqx.tree_at(lambda c: c.bias, cell, jnp.ones(4))))


def test_a_reflector_that_counts_as_none_is_refused_and_counted_so():
    rows = jnp.eye(3) * jnp.array([1e-16, 1.0, 1.0])[:, None]
    with pytest.raises(UsageError, match="norm 0"):
        Reflectors.from_rows(rows)
    shrunk = Reflectors.from_rows(jnp.eye(3))
    shrunk = eqx.tree_at(lambda r: r.packed, shrunk, shrunk.packed.at[0].multiply(1e-16))
    assert float(shrunk.determinant()) == pytest.approx(float(jnp.linalg.det(shrunk.unwrap())))
    np.testing.assert_allclose(shrunk.renormalised().unwrap(), shrunk.unwrap(), atol=1e-6)


def test_reflectors_inside_the_taps_of_a_kernel_are_spared_and_renormalised():
    layer = parametrize(eqx.nn.Conv2d(4, 4, 3, key=KEY), "weight", dihedrally_symmetric(spectral(bounds=(0.5, 1.0))))
    mask = decay_mask(layer)
    spared = [leaf.shape for leaf, kept in zip(jax.tree.leaves(layer), jax.tree.leaves(mask), strict=True) if not kept]
    assert len(spared) == 2  # left and right
    again = renormalise(layer)
    np.testing.assert_allclose(paramax.unwrap(again).weight, paramax.unwrap(layer).weight, atol=1e-5)


@pytest.mark.parametrize("scheme", [spectral(bounds=(0.5, 1.0)), eigen(4)])
def test_half_precision_is_refused_with_a_remedy(scheme):
    with pytest.raises(UsageError, match="float32 or float64"):
        scheme(MATRIX.astype(jnp.bfloat16))


def test_the_pseudo_inverse_of_nothing_is_nothing():
    assert float(jnp.abs(SpectralWeight.from_matrix(jnp.zeros((3, 3))).pseudo_inverse().unwrap()).max()) == 0.0
