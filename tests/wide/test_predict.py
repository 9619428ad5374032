"""Predictions are what simulated training of the linear model does; times, labels and kernels that do not fit are refused."""

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.wide import predict

RNG = np.random.default_rng(0)
J, J_TEST = RNG.normal(size=(6, 9)), RNG.normal(size=(4, 9))
Y, F0, F0_TEST = RNG.normal(size=(6, 2)), RNG.normal(size=(6, 2)), RNG.normal(size=(4, 2))
K, K_TEST = J @ J.T, J_TEST @ J.T


def simulate(optimiser, steps, ridge=0.0):
    """Gradient descent on the parameters themselves, of f = f0 + J theta, loss half the mean square over all entries."""
    theta, v = np.zeros((9, 2)), np.zeros((9, 2))
    momentum, nesterov = getattr(optimiser, "momentum", 0.0), isinstance(optimiser, predict.Nesterov)
    for _ in range(steps):
        gradient = (J.T @ (F0 + J @ theta - Y) + ridge * theta) / Y.size
        v = momentum * v - optimiser.rate * gradient
        theta = theta + (momentum * v - optimiser.rate * gradient if nesterov else v)
    return theta


@pytest.mark.parametrize("optimiser", [predict.GradientDescent(0.3), predict.HeavyBall(0.1, 0.8), predict.Nesterov(0.1, 0.8)])
@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_steps_are_those_of_simulated_training(optimiser, ridge):
    run = predict.squared_loss(K, Y, optimiser, ridge=ridge)
    for steps in (0, 1, 2, 37):
        theta = simulate(optimiser, steps, ridge)
        assert_allclose(run.train(steps, F0), F0 + J @ theta, atol=1e-12)
        assert_allclose(run.test(K_TEST, steps, F0_TEST, F0), F0_TEST + J_TEST @ theta, atol=1e-12)
        assert_allclose(J.T @ run.dual(steps, F0), theta, atol=1e-12)


def test_many_small_steps_approach_the_flow_and_infinity_is_the_fit():
    flow, fine = predict.squared_loss(K, Y), predict.squared_loss(K, Y, predict.GradientDescent(1e-4))
    assert_allclose(fine.train(30000, F0), flow.train(3.0, F0), atol=1e-3)
    assert_allclose(flow.train(f0=F0), Y, atol=1e-9)
    assert_allclose(flow.train([0.0, np.inf], F0), [F0, Y], atol=1e-9)
    assert_allclose(predict.squared_loss(K, Y, predict.MomentumFlow(1.0, 0.5)).train(400.0, F0), Y, atol=1e-6)


@pytest.mark.parametrize("kind", [predict.GradientDescent, predict.HeavyBall, predict.Nesterov])
def test_training_diverges_above_the_largest_stable_rate_only(kind):
    top = np.linalg.eigvalsh(K)[-1] / Y.size
    for factor, grows in ((0.98, False), (1.02, True)):
        optimiser = kind(factor * kind(1.0).largest_stable() / top)
        run = predict.squared_loss(K, Y, optimiser)
        assert (np.abs(run.train(3000, F0) - Y).max() > 10) == grows
        if grows:
            with pytest.raises(UsageError, match="diverges.*smaller one"):
                run.train(np.inf, F0)
    rates = predict.critical_learning_rates(K, 2)
    assert rates.lee < rates.divergence
    assert_allclose(rates.divergence, 2 / top)


@pytest.mark.parametrize("normalise", ["entries", "samples", "sum"])
def test_critical_rates_of_coupled_outputs_count_samples_once(normalise):
    both = np.einsum("nm,kl->nmkl", K, np.eye(2))
    expected = predict.critical_learning_rates(K, 2, normalise).divergence
    assert_allclose(predict.critical_learning_rates(both, normalise=normalise).divergence, expected)
    assert_allclose(predict.squared_loss(both, Y, normalise=normalise).critical_learning_rates().divergence, expected)
    with pytest.raises(UsageError, match="has 2 outputs, not 3"):
        predict.critical_learning_rates(both, 3)


def test_outputs_are_never_broadcast_and_labels_are_real():
    hot, way = np.eye(2)[[0, 1, 0, 1, 1, 0]], predict.GradientDescent(0.1)
    squared = predict.squared_loss(K, hot, way)
    batches = predict.mini_batches(K, hot, None, way, np.zeros((2, 3), int))
    entropy = predict.cross_entropy(K, hot, None, way)
    for call in (
        lambda: squared.dual(1, F0[:, :1]), lambda: squared.train(1, F0[:, :1]),
        lambda: predict.mini_batches(K, hot, F0[:, :1], way, np.zeros((2, 3), int)),
        lambda: predict.cross_entropy(K, hot, F0[:, :1], way),
        *(lambda run=run: run.test(K_TEST, 1, F0_TEST[:, :1]) for run in (squared, batches, entropy)),
    ):  # fmt: skip
        with pytest.raises(UsageError, match="for 2 outputs. Remedy"):
            call()
    with pytest.raises(UsageError, match="complex128. Remedy"):
        predict.squared_loss(K, Y + 0j)


def test_cross_entropy_with_momentum_is_simulated_training_and_blocks_are_one_kernel():
    hot = np.eye(2)[[0, 1, 0, 1, 1, 0]]
    way, theta, v = predict.HeavyBall(0.1, 0.8), np.zeros((9, 2)), np.zeros((9, 2))
    for _ in range(30):
        f = F0 + J @ theta
        v = 0.8 * v - 0.1 * J.T @ (np.exp(f) / np.exp(f).sum(1, keepdims=True) - hot) / hot.size
        theta = theta + v
    assert_allclose(predict.cross_entropy(K, hot, F0, way).train(30), F0 + J @ theta, atol=1e-12)
    both = np.einsum("nm,kl->nmkl", K, np.eye(2))
    for optimiser, time in ((way, 30), (predict.MomentumFlow(0.5, 0.8), 3.0)):
        one, two = (predict.cross_entropy(square, hot, F0, optimiser) for square in (K, both))
        assert_allclose(two.train(time), one.train(time), atol=1e-8)
        across = np.einsum("nm,kl->nmkl", K_TEST, np.eye(2))
        assert_allclose(two.test(across, time, F0_TEST), one.test(K_TEST, time, F0_TEST), atol=1e-8)


def test_momentum_flow_under_cross_entropy_is_the_damped_equation():
    """f'' = -(1 - momentum)/sqrt(rate) f' - Theta dL/df in the time sqrt(rate) t, by small steps of its own."""
    hot, way = np.eye(2)[[0, 1, 0, 1, 1, 0]], predict.MomentumFlow(0.25, 0.8)
    dt, a, v = 1e-4, np.zeros((6, 2)), np.zeros((6, 2))
    for _ in range(10_000):
        f = F0 + K @ a
        v = v + dt * ((hot - scipy.special.softmax(f, -1)) / hot.size - way.friction * v)
        a = a + dt * v
    assert_allclose(predict.cross_entropy(K, hot, F0, way).train(2.0), F0 + K @ a, atol=2e-3)


def test_duplicate_rows_are_trained_as_one_and_counted():
    doubled = J[[0, 1, 2, 0]]
    run = predict.squared_loss(doubled @ doubled.T, Y[:4])
    assert run.dropped == 1
    fitted = run.train()
    assert_allclose(fitted[0], 0.5 * (Y[0] + Y[3]), atol=1e-9)  # what no network can tell apart gets the mean
    assert_allclose(fitted[1:3], Y[1:3], atol=1e-9)


def test_blocks_of_an_empirical_kernel_couple_the_outputs():
    whole = RNG.normal(size=(6, 2, 30))  # Jacobian of two outputs
    full = np.einsum("iap,jbp->ijab", whole, whole)
    flat = whole.reshape(12, 30)
    exact = F0 + (flat @ np.linalg.pinv(flat) @ (Y - F0).reshape(-1, 1)).reshape(6, 2)
    assert_allclose(predict.squared_loss(full, Y).train(np.inf, F0), exact, atol=1e-9)
    separate = np.einsum("ij,ab->ijab", K, np.eye(2))
    assert_allclose(predict.squared_loss(separate, Y).train(2.0, F0), predict.squared_loss(K, Y).train(2.0, F0), atol=1e-12)


def test_the_ensemble_is_that_of_simulated_networks():
    """A Gaussian initial function, trained linearly: mean and covariance by sampling 20,000 of them."""
    nngp = RNG.normal(size=(10, 12))
    joint = nngp @ nngp.T
    mean, covariance = predict.squared_loss(K, Y).ensemble(joint[:6, :6], K_TEST, joint[6:, :6], joint[6:, 6:], 2.0)
    draws = np.linalg.cholesky(joint) @ RNG.normal(size=(10, 20_000))
    A = predict.squared_loss(K, np.eye(6), normalise="sum").test(K_TEST, 2.0 / Y.size)
    trained = draws[6:] + A @ (Y[:, :1] - draws[:6])
    error = 5 * np.sqrt(np.diag(covariance) / 20_000)
    assert (np.abs(trained.mean(1) - mean[:, 0]) < error).all()
    assert_allclose(np.cov(trained), covariance, atol=0.06 * covariance.max())
    assert np.linalg.eigvalsh(covariance).min() > -1e-12 * covariance.max()


def test_cross_entropy_lowers_its_loss_and_flow_is_the_limit_of_steps():
    labels = np.eye(2)[[0, 1, 0, 1, 1, 0]]
    flow = predict.cross_entropy(K, labels, F0, predict.GradientFlow(1.0))
    steps = predict.cross_entropy(K, labels, F0, predict.GradientDescent(1e-3))
    assert_allclose(steps.train(2000), flow.train(2.0), atol=2e-3)
    assert (np.diff(flow.loss(flow.train([0.0, 1.0, 5.0]))) < 0).all()
    with pytest.raises(UsageError, match="no value at infinite time"):
        flow.train(np.inf)


@given(st.sampled_from(["nan", "shape", "negative", "never", "order", "half", "asymmetric", "labels"]))
def test_bad_input_is_refused_with_a_remedy(kind):
    kernel, y, t = K.copy(), Y.copy(), [1.0]
    if kind == "nan":
        kernel[0, 0] = np.nan
    elif kind == "shape":
        kernel = kernel[:5]
    elif kind == "negative":
        t = [-1.0]
    elif kind == "never":
        t = []
    elif kind == "order":
        t = [2.0, 1.0]
    elif kind == "half":
        kernel = kernel.astype(np.float16)
    elif kind == "asymmetric":
        kernel[0, 1] += 1.0
    else:
        y = y[:, 0]
    with pytest.raises(UsageError, match="Remedy|Times"):
        predict.squared_loss(kernel, y).train(t)


@pytest.mark.parametrize("optimiser", [predict.GradientDescent(0.3), predict.HeavyBall(0.1, 0.8)])
@pytest.mark.parametrize("loss", ["squared", "entropy"])
def test_mini_batches_are_those_of_simulated_training(optimiser, loss):
    rows = np.random.default_rng(3).integers(0, 6, (30, 3))
    hot = np.eye(2)[[0, 1, 1, 0, 1, 0]]
    y = Y if loss == "squared" else hot
    theta, v, seen = np.zeros((9, 2)), np.zeros((9, 2)), [np.zeros((9, 2))]
    for batch in rows:
        f = F0[batch] + J[batch] @ theta
        said = f if loss == "squared" else np.exp(f) / np.exp(f).sum(1, keepdims=True)
        v = getattr(optimiser, "momentum", 0.0) * v - optimiser.rate * J[batch].T @ (said - y[batch]) / said.size
        theta = theta + v
        seen.append(theta)
    run = predict.mini_batches(K, y, F0, optimiser, rows, loss=loss)
    steps = [0, 1, 7, 30]
    assert_allclose(run.train(steps), [F0 + J @ seen[s] for s in steps], atol=1e-12)
    assert_allclose(run.test(K_TEST, 30, F0_TEST), F0_TEST + J_TEST @ theta, atol=1e-12)
    both = np.einsum("nm,kl->nmkl", K, np.eye(2))
    assert_allclose(predict.mini_batches(both, y, F0, optimiser, rows, loss=loss).train(30), run.train(30), atol=1e-12)


def test_a_batch_of_all_samples_is_gradient_descent():
    whole = np.tile(np.arange(6), (20, 1))
    way = predict.HeavyBall(0.1, 0.8)
    assert_allclose(
        predict.mini_batches(K, Y, F0, way, whole).train(20), predict.squared_loss(K, Y, way).train(20, F0), atol=1e-12
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batches": np.zeros((3, 2))}, "integers"),
        ({"batches": np.full((3, 2), 6)}, "there are 6, counted from 0"),
        ({"batches": np.zeros((0, 2), int)}, "one row per step"),
        ({"optimiser": predict.Nesterov(0.1)}, "Nesterov takes no mini-batches"),
        ({"loss": "hinge"}, "Known: squared, entropy"),
        ({"loss": "entropy"}, "must be >= 0"),
        ({"y": Y[:5]}, "y has shape"),
    ],
)
def test_mini_batches_that_make_no_sense_are_refused(change, words):
    given = {"y": Y, "f0": F0, "optimiser": predict.GradientDescent(0.1), "batches": np.zeros((3, 2), int), "loss": "squared"}
    given |= change
    loss = given.pop("loss")
    with pytest.raises(UsageError, match=words):
        predict.mini_batches(K, *given.values(), loss=loss)
    with pytest.raises(UsageError, match="whole numbers up to 3"):
        predict.mini_batches(K, Y, F0, predict.GradientDescent(0.1), np.zeros((3, 2), int)).train(4)
