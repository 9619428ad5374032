import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.coupling import ceiling, growth_curve, levelled_off

SIGNAL, NOISE = np.array([1.0, 2.0, 0.5]), np.array([1.0, 0.5, 0.0])  # variances by level
KNOWN = SIGNAL / (SIGNAL + NOISE)


def twins(seed, starts=8, copies=8, steps=5, columns=60, noise=NOISE):
    """y = f(x) + e with Gaussian f and e of known variance, `(start, twin, step, column, level)`."""
    random = np.random.default_rng(seed)
    signal = random.normal(size=(starts, 1, steps, columns, 3)) * np.sqrt(SIGNAL)
    return signal + random.normal(size=(starts, copies, steps, columns, 3)) * np.sqrt(noise)


def test_ceiling_is_signal_over_signal_and_noise():
    found = ceiling(twins(0))
    assert_allclose(found.value, KNOWN, atol=0.03)  # 2400 samples of each variance: 3 percent
    assert_allclose(found.noise, NOISE, rtol=0.03, atol=1e-12)
    assert_allclose(found.total, SIGNAL + NOISE, rtol=0.1)


def test_interval_holds_the_known_value_about_as_often_as_it_says():
    found = [ceiling(twins(seed, copies=3, steps=2, columns=20), confidence=0.9, resamples=200, seed=seed) for seed in range(40)]
    inside = np.mean([(one.low <= KNOWN) & (one.high >= KNOWN) for one in found], axis=0)
    # A bootstrap of 8 starts is somewhat narrow; 40 trials of probability 0.9 lie above 0.7 with probability 0.9999.
    assert (inside[:2] >= 0.7).all()
    assert all((one.low <= one.value).all() and (one.value <= one.high).all() for one in found)


@given(st.integers(0, 10**6))
def test_noise_is_half_the_mean_square_difference_of_all_pairs(seed):
    targets = twins(seed, starts=2, copies=4, steps=2, columns=5)
    pairs = [(targets[:, a] - targets[:, b]) ** 2 / 2 for a in range(4) for b in range(a)]
    assert_allclose(ceiling(targets, resamples=2).noise, np.mean(pairs, axis=(0, 1, 2, 3)), rtol=1e-9)


def test_no_function_of_x_beats_the_ceiling_and_the_best_one_reaches_it():
    random = np.random.default_rng(1)
    x = random.normal(size=(6, 1, 4, 500))
    targets = np.sin(2 * x) + 0.4 * random.normal(size=(6, 4, 4, 500))
    truth = np.sin(2 * x[:, 0]) + 0.4 * random.normal(size=(6, 4, 500))
    best = 1 - np.mean((truth - np.sin(2 * x[:, 0])) ** 2) / truth.var()
    linear = 1 - np.mean((truth - np.polyval(np.polyfit(x.ravel(), truth.ravel(), 1), x[:, 0])) ** 2) / truth.var()
    found = ceiling(targets)
    assert linear < found.low
    assert best == pytest.approx(float(found.value), abs=0.02)  # 12000 samples


def test_weights_pick_columns():
    targets = twins(2, columns=10)
    weights = np.r_[np.ones(5), np.zeros(5)]
    assert_allclose(ceiling(targets, weights).value, ceiling(targets[..., :5, :]).value, rtol=1e-12)


def test_variance_from_elsewhere_replaces_the_twins_own():
    found = ceiling(twins(3), variance=np.array([10.0, 10.0, 10.0]))
    assert_allclose(found.value, 1 - found.noise / 10.0)


@pytest.mark.parametrize("constant", [0.0, 280.0])
def test_levels_without_variance_have_no_ceiling(constant):
    targets = twins(4).astype(np.float32)
    targets[..., 1] = constant
    found = ceiling(targets)
    assert np.isnan([found.value[1], found.low[1], found.high[1]]).all()
    assert np.isfinite(found.value[[0, 2]]).all()
    assert np.isnan(growth_curve(targets)[..., 1]).all()


def growing(seed, rate, leads=60):
    """Noise variance saturating at 1 as 1 - exp(-rate t), beside a signal of variance 1."""
    random = np.random.default_rng(seed)
    noise = 1 - np.exp(-rate * np.arange(leads))
    e = random.normal(size=(8, 4, leads, 40, 1)) * np.sqrt(noise)[:, None, None]
    return random.normal(size=(8, 1, leads, 40, 1)) + e, noise


def test_growth_curve_is_the_noise_by_lead_and_ends_at_one_minus_the_ceiling():
    targets, noise = growing(0, rate=0.3)
    curve = growth_curve(targets).mean(axis=0)[:, 0]
    assert_allclose(curve, noise / (1 + noise.mean()), atol=0.1)  # 4 standard errors of 960 pairs at every lead
    plateau = targets[:, :, 30:]
    assert 1 - ceiling(plateau).value[0] == pytest.approx(curve[30:].mean(), rel=0.05)


@pytest.mark.parametrize("rate", [0.2, 0.4])
def test_levelled_off_finds_where_the_curve_is_flat(rate):
    targets, noise = growing(1, rate)
    lead = levelled_off(growth_curve(targets))
    assert lead is not None
    assert 0.8 < noise[lead] < 1.0  # flat within 5 percent and its own noise
    assert lead < 30


def test_a_curve_that_still_rises_has_not_levelled_off():
    targets, _ = growing(2, rate=0.01)
    assert levelled_off(growth_curve(targets)) is None


def test_a_flat_curve_is_flat_from_the_start():
    assert levelled_off(growth_curve(twins(5, steps=40))) == 0


def test_one_start_is_enough_for_a_curve_but_tells_no_error():
    curve = 1 - np.exp(-0.5 * np.arange(40.0))
    lead = levelled_off(curve[None])
    assert lead is not None
    assert curve[lead] >= 0.95 * curve[-13:].mean()
    assert curve[lead - 1] < 0.96 * curve[-13:].mean()  # the curve is judged by its running mean


@pytest.mark.parametrize("shape", [(2, 1, 3, 4), (2, 3)])
def test_what_is_no_set_of_twins_is_refused(shape):
    with pytest.raises(UsageError, match="two twins or more.*Remedy"):
        ceiling(np.zeros(shape))
