"""`parametrize` and `resolve` on models that know nothing of weights, and the refusals."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.networks import MLP, Conv
from parametra.weights import (
    AbstractWeight,
    Dense,
    GroupWeight,
    StandIn,
    hadamard,
    parametrize,
    resolve,
    stacked,
    symmetric,
)

KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (8,))


class Foreign(eqx.Module):
    """A module of somebody's own: a matrix in a dictionary, used in a way that no weight knows."""

    arrays: dict[str, jax.Array]

    def __call__(self, x):
        return jnp.linalg.norm(self.arrays["a"], axis=0) * x + jnp.einsum("ij,j->i", self.arrays["a"].T, x)


FOREIGN = Foreign({"a": jax.random.normal(KEY, (8, 8)), "b": jnp.ones(3)})
ATTENTION = eqx.nn.MultiheadAttention(2, 8, key=KEY)
MODELS = {
    "linear": (eqx.nn.Linear(8, 8, key=KEY), "weight", hadamard(4), lambda m: m(X)),
    "mlp": (eqx.nn.MLP(8, 8, 16, 2, key=KEY), "layers.*.weight", hadamard(4), lambda m: m(X)),
    "conv": (eqx.nn.Conv2d(4, 4, 3, key=KEY), "weight", symmetric(), lambda m: m(jnp.ones((4, 6, 6)))),
    "conv1d": (eqx.nn.Conv1d(4, 8, 3, key=KEY), "weight", hadamard(4), lambda m: m(jnp.ones((4, 6)))),
    "lstm": (eqx.nn.LSTMCell(8, 8, key=KEY), "weight_*", stacked(4, symmetric()), lambda m: m(X, (X, X))[0]),
    "gru": (eqx.nn.GRUCell(8, 8, key=KEY), "weight_hh", stacked(3, hadamard(2)), lambda m: m(X, X)),
    "attention": (ATTENTION, "*_proj.weight", symmetric(), lambda m: m(*[X[None] * jnp.ones((3, 1))] * 3)),
    "foreign": (FOREIGN, "arrays.a", symmetric(), lambda m: m(X)),
    "ours": (MLP.init(KEY, 8, 8, (8,)), "layers.*.weight", hadamard(2, symmetric()), lambda m: m(X)),
    "our conv": (Conv.init(KEY, 4, 4), "weight", hadamard(2), lambda m: m(jnp.ones((1, 5, 5, 4)))),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_resolved_model_computes_with_the_dense_arrays_and_learns_the_free_ones(name):
    model, where, scheme, call = MODELS[name]
    held = parametrize(model, where, scheme)
    plain = paramax.unwrap(held) if not name.startswith("our") else held
    assert_allclose(call(resolve(held)), call(plain), rtol=1e-5, atol=1e-5)

    @eqx.filter_jit
    @eqx.filter_grad
    def gradient(model):
        return jnp.sum(jnp.sin(call(resolve(model))))

    moved = [leaf for leaf in jax.tree.leaves(gradient(held)) if leaf.ndim and leaf.size]
    assert any(bool((leaf != 0).any()) for leaf in moved)
    kept = eqx.filter(model, eqx.is_inexact_array)
    assert sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(held, eqx.is_inexact_array))) < sum(
        leaf.size for leaf in jax.tree.leaves(kept)
    )


@pytest.mark.parametrize("name", ["linear", "mlp", "lstm", "gru", "attention", "ours", "our conv"])
def test_layers_that_only_multiply_run_as_they_are(name):
    model, where, scheme, call = MODELS[name]
    held = parametrize(model, where, scheme)
    assert_allclose(call(held), call(resolve(held)), rtol=1e-5, atol=1e-5)


def test_where_by_function_and_by_pattern_are_one():
    model = eqx.nn.MLP(8, 8, 16, 2, key=KEY)
    by_function = parametrize(model, lambda m: [layer.weight for layer in m.layers], hadamard(4))
    by_pattern = parametrize(model, ["layers.[01].weight", "layers.2.weight"], hadamard(4))
    assert eqx.tree_equal(by_function, by_pattern)
    one = parametrize(model, lambda m: m.layers[1].weight, hadamard(4))
    assert isinstance(one.layers[1].weight, StandIn)
    assert one.layers[0].weight is model.layers[0].weight


def test_what_is_cheaper_than_dense_stays_so_where_that_is_possible():
    ready = resolve(parametrize(eqx.nn.MLP(8, 8, 8, 1, key=KEY), "layers.*.weight", hadamard(4)))
    weight: Any = ready.layers[0].weight
    assert isinstance(weight.weight, GroupWeight)
    ready = resolve(parametrize(eqx.nn.MLP(8, 8, 8, 1, key=KEY), "layers.*.weight", symmetric()))
    assert isinstance(ready.layers[0].weight, jax.Array)
    ready = resolve(parametrize(MLP.init(KEY, 8, 8, (8,)), "layers.*.weight", symmetric()))
    assert isinstance(ready.layers[0].weight, Dense)


def test_values_or_scale_are_kept():
    model = eqx.nn.Linear(64, 64, key=KEY)
    near, scaled = (paramax.unwrap(parametrize(model, "weight", hadamard(8), keep=keep)).weight for keep in ("values", "scale"))
    assert_allclose(jnp.linalg.norm(scaled), jnp.linalg.norm(model.weight), rtol=1e-5)
    assert_allclose(scaled / jnp.linalg.norm(scaled), near / jnp.linalg.norm(near), atol=1e-6)


def test_a_scheme_of_a_users_own():
    class Rank1(AbstractWeight):
        u: jax.Array
        v: jax.Array

        @property
        def shape(self):
            return self.u.size, self.v.size

        def unwrap(self):
            return jnp.outer(self.u, self.v)

    model = parametrize(MLP.init(KEY, 8, 4, ()), lambda m: m.layers[0].weight, lambda matrix: Rank1(matrix[:, 0], matrix[0]))
    assert_allclose(resolve(model)(X), model(X), rtol=1e-5)
    again = parametrize(model, lambda m: m.layers[0].weight, hadamard(4))  # a weight may be replaced by another
    assert isinstance(again.layers[0].weight, GroupWeight)


def test_under_vmap_and_as_shapes():
    models = eqx.filter_vmap(lambda key: parametrize(eqx.nn.Linear(8, 8, key=key), "weight", symmetric()))(
        jax.random.split(KEY, 3)
    )
    ys = eqx.filter_vmap(lambda model: resolve(model)(X))(models)
    second = parametrize(eqx.nn.Linear(8, 8, key=jax.random.split(KEY, 3)[1]), "weight", symmetric())
    assert_allclose(ys[1], second(X), rtol=1e-5, atol=1e-6)
    shapes = eqx.filter_eval_shape(lambda: parametrize(eqx.nn.Linear(8, 8, key=KEY), "weight", symmetric()))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes.weight) if hasattr(leaf, "size")) == 36


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (lambda m: [], "selects nothing"),
        (lambda m: m.layers[0], "Linear.*which is no weight"),
        (lambda m: m.activation, "which is no weight"),
        (lambda m: m.depth, "int.*which is no weight"),
        (lambda m: None, "NoneType.*which is no weight"),
        (lambda m: jnp.arange(3), "array of int"),
        (lambda m: m.layers[0].bias, "no weight for a vector"),
        (lambda m: m.layers[0].weight * 2, "not in the model"),
        (lambda m: m.weights, "fails on this model"),
        ("layer.*.weight", "selects nothing.*layers.0.weight"),
        ([], "selects nothing"),
        ("layers.0.bias", "no weight for a vector"),
    ],
)
def test_a_where_that_selects_no_weight_is_refused(where, message):
    with pytest.raises(UsageError, match=message):
        parametrize(eqx.nn.MLP(8, 8, 8, 1, key=KEY), where, hadamard(4))


def test_an_array_in_two_places_is_two_weights():
    layer = eqx.nn.Linear(8, 8, key=KEY)
    both = [layer, eqx.tree_at(lambda m: m.bias, layer, jnp.ones(8))]
    assert both[0].weight is both[1].weight
    one = parametrize(both, lambda m: m[0].weight, hadamard(4))
    assert isinstance(one[0].weight, StandIn)
    np.testing.assert_array_equal(one[1].weight, layer.weight)
    tied = eqx.nn.Shared(both, lambda m: m[1].weight, lambda m: m[0].weight)
    held = parametrize(tied, lambda m: m.pytree[0].weight, hadamard(4))()
    assert isinstance(held[0].weight, StandIn)
    assert isinstance(held[1].weight, StandIn)


def test_what_is_no_scheme_is_refused():
    model = eqx.nn.Linear(8, 8, key=KEY)
    with pytest.raises(UsageError, match="Likely cause: forgotten brackets"):
        parametrize(model, "weight", symmetric)  # pyright: ignore[reportArgumentType]


def test_a_scheme_that_makes_something_else_is_refused():
    model = eqx.nn.Linear(8, 4, key=KEY)
    with pytest.raises(UsageError, match="made a .* of an array of shape"):
        parametrize(model, "weight", lambda matrix: matrix)
    with pytest.raises(UsageError, match=r"Dense of shape \(8, 4\)"):
        parametrize(model, "weight", lambda matrix: Dense(matrix.T))
    with pytest.raises(UsageError, match="must be square"):
        parametrize(model, "weight", symmetric())
    with pytest.raises(UsageError, match='"values" or "scale"'):
        parametrize(model, "weight", hadamard(4), keep="all")


def test_a_kernel_is_not_multiplied_as_a_matrix():
    weight: Any = parametrize(eqx.nn.Conv2d(4, 4, 3, key=KEY), "weight", symmetric()).weight
    assert weight.ndim == 4
    np.testing.assert_array_equal(jnp.asarray(weight), weight.unwrap())
    with pytest.raises(UsageError, match="resolve"):
        weight.__matmul__(X)
