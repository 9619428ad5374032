import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parametra.core.errors import PhysicalStopError
from parametra.coupling import Watch, coupled_run, drift_score, run_many, select
from parametra.dynamics import PolynomialClosure, fit_polynomial


def stopped(day):
    return PhysicalStopError("x", day, 0, None, np.nan, (0.0, 1.0))


def test_survivors_come_by_score_and_crashes_last_the_longest_lived_first():
    outcomes = {"late crash": stopped(9.0), "good": 1.0, "nan": np.nan, "best": 0.5, "early crash": stopped(1.0)}

    def trial(closure):
        outcome = outcomes[closure.init(None, None, None)]
        if isinstance(outcome, PhysicalStopError):
            raise outcome
        return outcome, "fields"

    class Named:
        def __init__(self, name):
            self.name = name

        def init(self, resolved, forcing, key):
            return self.name

        def __call__(self, resolved, forcing, carry, key):
            return resolved, {}, carry

    ranked = select({name: Named(name) for name in outcomes}, trial, threads=2)
    assert [candidate.name for candidate in ranked[:2]] == ["best", "good"]
    assert ranked[0].outcome == "fields"
    crashes = [candidate.name for candidate in ranked if candidate.stop is not None]
    assert crashes == ["late crash", "early crash"]
    assert all(np.isinf(candidate.score) for candidate in ranked[2:])


def test_jobs_run_at_the_same_time_and_keep_their_order():
    both = threading.Barrier(2, timeout=30)

    def job(value):
        both.wait()
        return value

    assert list(run_many({"b": lambda: job(1), "a": lambda: job(2)}).items()) == [("b", 1), ("a", 2)]


def test_a_physical_stop_is_an_outcome_and_any_other_error_is_not():
    def stop():
        raise stopped(3.0)

    outcome = run_many({"crash": stop, "good": lambda: 1})
    assert isinstance(outcome["crash"], PhysicalStopError)
    assert outcome["good"] == 1
    with pytest.raises(ZeroDivisionError):
        run_many({"bug": lambda: 1 // 0})


def bins(x):
    """Histogram of x as (block of time, bin): what a day of climate statistics is to an atmosphere."""
    edges = np.linspace(-15, 20, 36)
    return np.stack([np.histogram(part, edges, density=True)[0] for part in np.array_split(x, 10)])


def test_selection_on_lorenz96_finds_the_closure_that_keeps_the_climate(lorenz, truth, recorder):
    fields, end = truth
    reference = bins(fields["x"])

    def trial(closure):
        chunks = []
        coupled_run(
            lorenz, closure, end.state, (), 0, 8000, chunk=2000, record=recorder, reduce="none",
            watch=Watch({"x": (-30.0, 30.0)}, day=1.0), on_chunk=lambda step, records, state: chunks.append(records["x"]),
        )  # fmt: skip
        score = drift_score(bins(np.concatenate(chunks)[1000:]), reference)
        return score.run.rms, score

    fitted = fit_polynomial(fields["x"], fields["u"], 4)
    zeros = jnp.zeros(5)
    candidates = {
        "no closure": PolynomialClosure(zeros),
        "anti-damping": PolynomialClosure(zeros.at[1].set(3.0)),
        "polynomial": fitted,
        "mean tendency": PolynomialClosure(zeros.at[0].set(fields["u"].mean())),
    }
    ranked = select(candidates, trial, threads=2)
    assert ranked[0].name == "polynomial"
    assert ranked[0].score < 3 * ranked[0].outcome.split_half.rms  # keeps the climate about as well as truth keeps its own
    assert ranked[1].score > 1.5 * ranked[0].score
    assert ranked[-1].name == "anti-damping"
    assert ranked[-1].stop is not None
    assert ranked[-1].stop.name == "x"
    assert jax.tree.structure(fitted) == jax.tree.structure(candidates["no closure"])  # so all four ran one program


def test_what_has_not_begun_does_not_begin_after_an_error():
    begun = []

    def later():
        begun.append(1)
        time.sleep(0.01)

    with pytest.raises(ZeroDivisionError):
        run_many({"bug": lambda: 1 // 0} | {str(number): later for number in range(50)}, threads=1)
    assert len(begun) < 50
