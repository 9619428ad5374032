"""The shadow run on two-scale Lorenz-96: it does not touch the run, finds a bias, and its labels mend a drift."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from parametra.core.errors import PhysicalStopError, UsageError
from parametra.coupling import Closure, ColumnBlocks, Shadow, Watch, aggregate, coupled_run, drift_score, shadow_run, start
from parametra.coupling.shadow import join
from parametra.dynamics import FastScale, Lorenz96
from parametra.dynamics.lorenz96 import PolynomialClosure, fit_polynomial


def see(resolved, forcing):
    return {"x": resolved.x}


def say(tendency, fluxes):
    return {"u": tendency.x}


@pytest.fixture(scope="module")
def closure(truth):
    return fit_polynomial(truth[0]["x"], truth[0]["u"], 4)


def shadow(host, driver, fast, end, steps=400, **options):
    return shadow_run(host, driver, fast, end.state, ((), end.carry), 3, steps, see=see, say=say, chunk=200, **options)


def test_the_truth_beside_it_does_not_touch_the_run(lorenz, fast_scale, truth, closure):
    end = truth[1]
    assert isinstance(Shadow(closure, fast_scale), Closure)
    run = shadow(lorenz, closure, fast_scale, end)
    assert run.end is not None
    alone = coupled_run(lorenz, closure, end.state, (), 3, 400, chunk=200)
    assert_array_equal(run.end.state.x, alone.state.x)
    assert run.labels["x"].shape == run.labels["u"].shape == run.answers["u"].shape == (400, 32)
    assert_allclose(run.answers["u"], np.polyval(np.asarray(closure.coefficients)[::-1], run.labels["x"]), rtol=1e-3, atol=1e-4)


def test_a_truth_that_drives_agrees_with_its_shadow(lorenz, fast_scale, truth):
    end = truth[1]
    run = shadow_run(
        lorenz, fast_scale, fast_scale, end.state, (end.carry, end.carry), 3, 200, see=see, say=say, every=7, settle=20, chunk=50
    )
    assert len(run.labels["x"]) == len(range(20, 200, 7))
    assert np.abs(run.errors["u"].bias).max() == 0.0
    assert run.errors["u"].r2 == 1.0


def test_the_online_error_of_a_biased_closure_is_found(lorenz, fast_scale, truth, closure):
    biased = PolynomialClosure(closure.coefficients.at[0].add(1.0))
    errors = {}
    for name, driver in (("plain", closure), ("biased", biased)):
        run = shadow(lorenz, driver, fast_scale, truth[1], 4000, every=5, settle=200)
        errors[name] = run.errors["u"]
    assert abs(errors["plain"].bias.mean()) < 0.2
    assert errors["biased"].bias.mean() == pytest.approx(1.0, abs=0.2)
    assert errors["biased"].r2 < errors["plain"].r2
    assert errors["biased"].rms.shape == (32,)


def test_blocks_give_the_same_labels(lorenz, fast_scale, truth, closure):
    end, blocks = truth[1], ColumnBlocks(fast_scale, 2)
    plain = shadow(lorenz, closure, fast_scale, end, 40)
    blocked = shadow_run(lorenz, closure, blocks, end.state, ((), blocks.split(end.carry)), 3, 40, see=see, say=say, chunk=20)
    assert_allclose(blocked.labels["u"], plain.labels["u"], rtol=1e-4, atol=1e-4)
    assert_allclose(blocked.answers["u"], plain.answers["u"], rtol=1e-4, atol=1e-4)


def test_shadow_labels_mend_the_drift_that_more_plain_truth_does_not(recorder):
    """Fitted in a calm climate and run in a rougher one: drift halved at equal amounts of data, for each of three draws."""
    calm, rough, fast = Lorenz96(forcing=6.0, rings=4), Lorenz96(forcing=12.0, rings=4), FastScale(fast=16, own_ring=True)
    watch = Watch({"x": (-60.0, 60.0)}, day=1.0)

    def record(host, driver, state, carry, steps):
        kept = []
        end = coupled_run(
            host, driver, state, carry, 0, steps, chunk=1000, record=recorder, reduce="none", watch=watch,
            on_chunk=lambda step, records, state: kept.append(records),
        )  # fmt: skip
        return {name: np.concatenate([part[name] for part in kept]) for name in ("x", "u")}, end

    def climate(x):
        days = x[1000:].reshape(-1, 200 * x.shape[1])
        return np.stack([np.histogram(day, np.linspace(-15, 25, 41), density=True)[0] for day in days])

    known, _ = record(calm, fast, *start(calm, fast, 0), 6000)
    begin, end = record(rough, fast, *start(rough, fast, 0), 9000)
    reference = climate(begin["x"])

    def drift(driver):
        return drift_score(climate(record(rough, driver, end.state, (), 5000)[0]["x"]), reference).run.rms

    def fit(labels):
        return fit_polynomial(labels["x"], labels["u"], 5)

    def drive(driver, number):
        return shadow_run(
            rough, driver, fast, end.state, ((), end.carry), number, 600, see=see, say=say, every=20, settle=200, chunk=200,
            watch=watch,
        )  # fmt: skip

    for draw in range(3):
        plain = {name: values[1500 + draw * 1500 :: 20] for name, values in known.items()}
        first, equal = ({name: values[:count] for name, values in plain.items()} for count in (20, 60))
        rounds = aggregate(fit, drive, first, 2)
        assert sum(len(part.run.labels["x"]) for part in rounds) == 40
        assert drift(rounds[-1].closure) < 0.5 * drift(fit(equal))


def test_labels_until_a_stop_are_kept(lorenz, fast_scale, truth, closure):
    wild = PolynomialClosure(closure.coefficients.at[1].add(6.0))
    watch = Watch({"x": (-60.0, 60.0)}, day=1.0)
    run = shadow_run(
        lorenz, wild, fast_scale, truth[1].state, ((), truth[1].carry), 3, 400, see=see, say=say, chunk=10, watch=watch
    )
    assert isinstance(run.stop, PhysicalStopError)
    assert run.end is None
    assert 0 < len(run.labels["x"]) < 400
    with pytest.raises(PhysicalStopError):
        shadow(lorenz, wild, fast_scale, truth[1], watch=watch)


def test_what_makes_no_sense_is_refused(lorenz, fast_scale, truth, closure):
    for options in ({"every": 0}, {"settle": 400}, {"settle": -1}):
        with pytest.raises(UsageError, match="every >= 1"):
            shadow(lorenz, closure, fast_scale, truth[1], **options)
    with pytest.raises(UsageError, match="input and as a target"):
        shadow_run(lorenz, closure, fast_scale, truth[1].state, ((), truth[1].carry), 0, 4, see=see, say=lambda t, f: {"x": t.x})
    with pytest.raises(UsageError, match="at least one round"):
        aggregate(lambda labels: closure, lambda driver, number: shadow(lorenz, driver, fast_scale, truth[1]), {}, 0)
    with pytest.raises(UsageError, match="different names"):
        join({"x": np.zeros(1)}, {"y": np.zeros(1)})
