"""Laws of the training loop under a recipe: optimiser, decay, clipping, patience, carried states, what is watched."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.learn import RecipeConfig, cross_entropy, fit, learning_rate_schedule
from parametra.networks import MLP
from parametra.weights import parametrize, spectral

X = np.random.default_rng(0).standard_normal((64, 3)).astype(np.float32)
Y = X[:, :1] - 2 * X[:, 1:2]
STEEP = RecipeConfig(epochs=2, batch_size=64, learning_rate=0.1, schedule="constant", optimiser="sgd")


def error(model, batch):
    x, y = batch
    return jnp.mean(jnp.square(model(x) - y))


def model(seed=0):
    return MLP.init(jax.random.key(seed), 3, 1, ())


def weight(network):
    return np.asarray(network.layers[0].weight.unwrap(), np.float64)


def gradient(w, b, decay=0.0):
    rest = X.astype(np.float64) @ w.T + b - Y
    return 2 * rest.T @ X / len(X) + decay * w, 2 * rest.mean(0) + decay * b


def test_heavy_ball_with_decay_is_the_formula():
    recipe = STEEP.model_copy(update={"momentum": 0.5, "weight_decay": 0.3})
    trained, history = fit(model(), error, (X, Y), recipe, jax.random.key(1))
    w, b, vw, vb = weight(model()), np.zeros(1), 0.0, 0.0
    norms = []
    for _ in range(2):
        norms.append(np.sqrt(sum(np.square(part).sum() for part in gradient(w, b))))
        gw, gb = gradient(w, b, 0.3)
        vw, vb = 0.5 * vw + gw, 0.5 * vb + gb
        w, b = w - 0.1 * vw, b - 0.1 * vb
    assert_allclose(weight(trained), w, rtol=1e-5, atol=1e-6)
    assert_allclose(history.gradient_norm, norms, rtol=1e-5)


def test_clipping_bounds_the_step():
    recipe = STEEP.model_copy(update={"epochs": 1, "clip": 0.01})
    trained, _ = fit(model(), error, (X, Y), recipe, jax.random.key(1))
    moved = [a - b for a, b in zip(jax.tree.leaves(trained), jax.tree.leaves(model()), strict=True)]
    assert_allclose(np.sqrt(sum(np.square(part).sum() for part in moved)), 0.1 * 0.01, rtol=1e-4)


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_weight_decay_spares_reflectors(optimiser):
    network = MLP.init(jax.random.key(0), 3, 3, ())
    network = parametrize(network, "layers.*.weight", spectral(bounds=(0.5, 1.5)))
    recipe = STEEP.model_copy(update={"optimiser": optimiser, "weight_decay": 0.5, "epochs": 4})
    trained, _ = fit(network, lambda m, batch: 0 * jnp.sum(m(batch)), X, recipe, jax.random.key(1))
    before: Any = network.layers[0].weight
    after: Any = trained.layers[0].weight
    assert eqx.tree_equal((before.left, before.right), (after.left, after.right))
    assert_allclose(after.free, before.free * (1 - 0.1 * 0.5) ** 4, rtol=1e-5)


def test_patience_ends_training_and_gives_back_the_best(tmp_path):
    recipe = STEEP.model_copy(update={"epochs": 40, "learning_rate": 0.02, "patience": 3, "batch_size": 16})
    turned = (X, -Y)  # the better on the training data, the worse there
    network, history = fit(model(), error, (X, Y), recipe, jax.random.key(1), selection=turned, resume_path=tmp_path)
    assert np.isfinite(history.loss).sum() == 4 < 40
    assert np.argmin(np.nan_to_num(history.selection_loss, nan=np.inf)) == 0
    assert_allclose(error(network, (jnp.asarray(X), jnp.asarray(-Y))), history.selection_loss[0], rtol=1e-5)
    again, _ = fit(model(), error, (X, Y), recipe, jax.random.key(1), selection=turned, resume_path=tmp_path)
    assert eqx.tree_equal(again, network)
    with pytest.raises(UsageError, match="Patience needs selection data"):
        fit(model(), error, (X, Y), recipe, jax.random.key(1))


def test_a_carried_state_goes_from_batch_to_batch_and_starts_anew():
    """The mean of x over all earlier times is the state: known at every batch if it is carried in order."""
    seen = []

    def loss(network, batch, state):
        total = state + batch.sum(0)
        jax.debug.callback(lambda value: seen.append(np.asarray(value).ravel()[0]), state)
        return jnp.mean(network(batch) ** 2), total

    recipe = STEEP.model_copy(update={"batch_size": 16, "chunk": 2, "epochs": 2})
    fit(model(), loss, X, recipe, jax.random.key(1), carried=jnp.zeros(3), selection=X)
    jax.effects_barrier()
    sums = [float(X[:stop, 0].sum()) for stop in (0, 16, 32, 48)]
    assert_allclose(np.sort(seen), np.sort(4 * sums), rtol=1e-4, atol=1e-5)  # twice trained, twice judged


def test_what_is_watched_is_kept_and_survives_a_kill(tmp_path):
    def watch(network, gradient):
        parts = [jnp.linalg.norm(layer.weight.unwrap()) for layer in gradient.layers]
        return {"norms": jnp.stack(parts), "bias": network.layers[0].bias}

    def kill(record, _):
        if record.epoch == 1:
            raise KeyboardInterrupt

    recipe = STEEP.model_copy(update={"batch_size": 16, "chunk": 2, "epochs": 3})
    _, whole = fit(model(), error, (X, Y), recipe, jax.random.key(1), watch=watch)
    assert whole.watched["norms"].shape == (6, 1)
    assert whole.watched["bias"].shape == (6, 1)
    assert whole.watched["norms"][-1, 0] < 0.5 * whole.watched["norms"][0, 0]
    with pytest.raises(KeyboardInterrupt):
        fit(model(), error, (X, Y), recipe, jax.random.key(1), watch=watch, on_epoch=kill, resume_path=tmp_path)
    _, resumed = fit(model(), error, (X, Y), recipe, jax.random.key(1), watch=watch, resume_path=tmp_path)
    np.testing.assert_array_equal(resumed.watched["norms"], whole.watched["norms"])


def test_half_precision_trains_and_leaves_parameters_single():
    recipe = STEEP.model_copy(update={"precision": "bfloat16", "epochs": 20})
    trained, history = fit(model(), error, (X, Y), recipe, jax.random.key(1))
    assert {leaf.dtype for leaf in jax.tree.leaves(trained)} == {jnp.dtype("float32")}
    assert history.loss[-1] < 0.02 * history.loss[0]


def test_seeds_one_after_the_other_compile_once():
    traces = []

    def loss(network, batch):
        traces.append(1)
        return error(network, batch)

    for seed in range(3):
        fit(model(seed), loss, (X, Y), STEEP, jax.random.key(seed))
        first = len(traces) if seed == 0 else first
    assert len(traces) == first


def test_the_drops_of_wide_residual_networks():
    schedule = learning_rate_schedule("drops", 0.1, 10, 200)
    rates = np.array([schedule(10 * epoch) for epoch in (0, 59, 61, 121, 161)])
    assert_allclose(rates, [0.1, 0.1, 0.02, 0.004, 0.0008], rtol=1e-5)


def test_cross_entropy_of_equal_scores_is_the_logarithm_of_the_classes():
    labels = jnp.array([[0, 1], [2, 4]])
    assert_allclose(cross_entropy(jnp.ones((2, 2, 5)), labels), np.log(5), rtol=1e-6)
    sure = 100 * jax.nn.one_hot(labels, 5)
    assert_allclose(cross_entropy(sure, labels), 0.0, atol=1e-6)


def test_muon_steps_along_singular_vectors_and_goes_on_after_a_kill(tmp_path):
    """One step of a square matrix from zero has singular values near the learning rate, whatever the gradient's."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(64, 6)).astype(np.float32) * np.array([30, 10, 3, 1, 0.3, 0.1], np.float32)
    data = (x, rng.normal(size=(64, 6)).astype(np.float32))
    model = eqx.nn.Linear(6, 6, use_bias=False, key=jax.random.key(0))
    model = eqx.tree_at(lambda m: m.weight, model, jnp.zeros((6, 6)))

    def loss(model, batch):
        return jnp.mean((jax.vmap(model)(batch[0]) - batch[1]) ** 2)

    recipe = RecipeConfig(epochs=1, batch_size=64, learning_rate=0.1, schedule="constant", optimiser="muon")
    stepped, _ = fit(model, loss, data, recipe, jax.random.key(1))
    singular = np.linalg.svd(np.asarray(stepped.weight), compute_uv=False)
    assert singular[0] < 0.13  # of Muon's five iterations: 0.7 to 1.2
    assert singular[2] > 0.06  # Adam's or plain descent's would span the gradient's own range
    longer = recipe.model_copy(update={"epochs": 3})
    unbroken, _ = fit(model, loss, data, longer, jax.random.key(1))

    class Stop(Exception):  # noqa: N818
        pass

    def stop(record, _):
        if record.epoch == 1:
            raise Stop

    with pytest.raises(Stop):
        fit(model, loss, data, longer, jax.random.key(1), on_epoch=stop, resume_path=tmp_path)
    resumed, _ = fit(model, loss, data, longer, jax.random.key(1), resume_path=tmp_path)
    assert np.array_equal(np.asarray(resumed.weight), np.asarray(unbroken.weight))
