"""Laws of the training loop: it learns, it repeats itself, it survives a kill, and seeds side by side are seeds one by one."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import DataError, UsageError
from parametra.learn import FitConfig, fit, fit_many, learning_rate_schedule, mean_squared_error
from parametra.learn import fit as fit_one
from parametra.networks import MLP

CONFIG = FitConfig(epochs=3, batch_size=32, learning_rate=1e-2, chunk=4)


@pytest.fixture(scope="module")
def data():
    x = np.random.default_rng(0).standard_normal((300, 3)).astype(np.float32)
    return x, np.sin(x[:, :2] + x[:, 1:])


def _model(seed=0):
    return MLP.init(jax.random.key(seed), 3, 2, (8,))


@pytest.fixture(scope="module")
def whole(data):
    return fit(_model(), mean_squared_error, data, CONFIG, jax.random.key(5), selection=data)


def test_the_loss_falls_and_is_recorded(whole, data):
    model, history = whole
    assert np.all(np.diff(history.loss) < 0)
    assert np.all(np.diff(history.selection_loss) < 0)
    assert_allclose(mean_squared_error(model, jax.tree.map(jnp.asarray, data)), history.selection_loss[-1], rtol=1e-5)
    assert history.loss.shape == (3,)


def test_same_key_same_bits_and_the_callers_model_is_untouched(whole, data):
    start = _model()
    before = np.array(start.layers[0].weight.unwrap())
    again, _ = fit(start, mean_squared_error, data, CONFIG, jax.random.key(5), selection=data)
    other, _ = fit(start, mean_squared_error, data, CONFIG, jax.random.key(6))
    assert eqx.tree_equal(again, whole[0])
    assert not eqx.tree_equal(other, whole[0])
    np.testing.assert_array_equal(start.layers[0].weight.unwrap(), before)


def _mirror(batch, key):
    x, y = batch
    return jnp.where(jax.random.bernoulli(key, shape=(len(x), 1)), -x, x), y


def test_augmentation_teaches_a_symmetry_and_is_drawn_anew(data):
    x, y = data[0], np.abs(data[1])[:, :1] + data[0][:, :1]  # half of it is odd: what a mirror must average away
    config = CONFIG.model_copy(update={"epochs": 30})
    model = MLP.init(jax.random.key(0), 3, 1, (32,))
    plain, _ = fit(model, mean_squared_error, (x, y), config, jax.random.key(5))
    even, _ = fit(model, mean_squared_error, (x, y), config, jax.random.key(5), augment=_mirror)

    def oddness(network):
        return float(jnp.mean((network(jnp.asarray(x)) - network(jnp.asarray(-x))) ** 2))

    assert oddness(even) < 0.05 * oddness(plain)
    draws = []

    def record(batch, key):
        jax.debug.callback(lambda k: draws.append(tuple(np.asarray(k))), jax.random.key_data(key))
        return batch

    unchanged, _ = fit(model, mean_squared_error, (x, y), config, jax.random.key(5), augment=record)
    assert eqx.tree_equal(unchanged, plain)
    assert len(set(draws)) == len(draws) == 30 * 8  # chunks of 4: a ninth batch of 32 is left over


@pytest.mark.parametrize("augment", [None, _mirror])
def test_a_killed_training_goes_on_bit_for_bit(data, tmp_path, augment):
    def kill(record, _):
        if record.epoch == 1:
            raise KeyboardInterrupt

    arguments = (_model(), mean_squared_error, data, CONFIG, jax.random.key(5))
    fit = partial(fit_one, augment=augment)
    whole = fit(*arguments, selection=data)
    with pytest.raises(KeyboardInterrupt):
        fit(*arguments, selection=data, on_epoch=kill, resume_path=tmp_path / "a")
    seen = []
    model, history = fit(
        *arguments, selection=data, on_epoch=lambda record, model: seen.append((record.epoch, model)), resume_path=tmp_path / "a"
    )
    assert [epoch for epoch, _ in seen] == [1, 2]
    assert eqx.tree_equal(model, whole[0])
    assert eqx.tree_equal(seen[-1][1], model)
    np.testing.assert_array_equal(history.loss, whole[1].loss)
    np.testing.assert_array_equal(history.selection_loss, whole[1].selection_loss)
    finished, _ = fit(*arguments, selection=data, resume_path=tmp_path / "a")
    assert eqx.tree_equal(finished, model)
    with pytest.raises(UsageError, match="another seed"):
        fit(*arguments[:-1], jax.random.key(6), selection=data, resume_path=tmp_path / "a")


def test_side_by_side_is_one_by_one(data):
    keys, x = [jax.random.key(5), jax.random.key(6)], jnp.asarray(data[0][:5])
    models, histories = fit_many([_model(0), _model(1)], mean_squared_error, data, CONFIG, keys)
    for seed, key in enumerate(keys):
        alone, history = fit(_model(seed), mean_squared_error, data, CONFIG, key)
        assert_allclose(histories[seed].loss, history.loss, rtol=1e-4)
        assert_allclose(models[seed](x), alone(x), rtol=1e-3, atol=1e-4)


def test_progress_ends_at_one(data):
    told = []
    fit(_model(), mean_squared_error, data, CONFIG, jax.random.key(5), on_chunk=told.append)
    fractions = [progress.fraction for progress in told]
    assert fractions[-1] == 1.0
    assert fractions == sorted(fractions)
    assert all(progress.samples_per_second > 0 for progress in told)


def test_step_schedule_is_the_papers():
    schedule = learning_rate_schedule("step", 1e-3, 10, 18)
    rates = np.array([schedule(10 * epoch) for epoch in range(6)])
    assert_allclose(rates, [1e-3, 1e-3, 2e-4, 2e-4, 2e-4, 4e-5], rtol=1e-5)
    cosine = learning_rate_schedule("cosine", 1e-3, 10, 2)
    assert_allclose(np.array([cosine(0), cosine(10), cosine(20)]), [1e-3, 5e-4, 0.0], rtol=1e-5, atol=1e-9)
    assert learning_rate_schedule("constant", 1e-3, 10, 2)(7) == 1e-3
    with pytest.raises(UsageError, match="Unknown learning-rate schedule"):
        learning_rate_schedule("linear", 1e-3, 10, 2)


def test_bad_data_is_refused(data):
    x, y = data
    bad = x.copy()
    bad[7, 1] = np.nan
    for broken, words in (
        ((x[:0], y[:0]), "empty.*Remedy"),
        ((x[:5], y), "samples"),
        ((bad, y), "not finite.*Likely cause"),
    ):
        with pytest.raises(DataError, match=words):
            fit(_model(), mean_squared_error, broken, CONFIG, jax.random.key(0))
    with pytest.raises(UsageError, match="as many keys as models"):
        fit_many([_model()], mean_squared_error, data, CONFIG, [])


def test_divergence_is_announced(data):
    with pytest.raises(UsageError, match="loss is .*learning rate"):
        fit(_model(), lambda model, batch: jnp.exp(1e4 * mean_squared_error(model, batch)), data, CONFIG, jax.random.key(0))
