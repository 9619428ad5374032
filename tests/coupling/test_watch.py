import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parametra.core.errors import PhysicalStopError
from parametra.coupling import ColumnBlocks, Watch, coupled_run, start

WATCH = Watch({"temperature": (150.0, 350.0)})


class Spoil:
    """Wraps a closure that has a memory and puts one bad number in one place at one moment of light."""

    def __init__(self, closure, place, value=np.nan):
        self.closure, self.place, self.value = closure, place, value

    def init(self, resolved, forcing, key):
        return {"inner": self.closure.init(resolved, forcing, key), "clock": jnp.zeros(resolved.pressure.shape[0])}

    def __call__(self, resolved, forcing, carry, key):
        tendency, fluxes, inner = self.closure(resolved, forcing, carry["inner"], key)
        due = carry["clock"][0] == 5

        def spoilt(x):
            return x.at[(3, 2)[: x.ndim]].set(jnp.where(due, self.value, x[(3, 2)[: x.ndim]]))

        parts = {"tendency": tendency, "fluxes": fluxes, "carry": inner}
        parts[self.place] = jax.tree.map(spoilt, parts[self.place])
        return parts["tendency"], parts["fluxes"], {"inner": parts["carry"], "clock": carry["clock"] + 1}


@pytest.fixture(scope="session")
def stop(slab, noise):
    """The error of a run of the slab that a bad number is put into, at step 5 of 8."""

    def stopped(place, value=np.nan, chunk=8, steps=8, watch=WATCH, wrap=lambda closure: closure, **options):
        closure = wrap(Spoil(noise, place, value))
        with pytest.raises(PhysicalStopError) as caught:
            coupled_run(slab, closure, *start(slab, closure, 0), 0, steps, chunk=chunk, watch=watch, **options)
        return caught.value

    return stopped


@pytest.mark.parametrize(
    ("place", "name", "level"), [("tendency", "tendency.heat", 2), ("fluxes", "fluxes.rain", None), ("carry", "carry.inner", 2)]
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_named_wherever_it_is(stop, place, name, level, value):
    error = stop(place, value)
    assert (error.name, error.column, error.level) == (name, 3, level)
    assert error.day == pytest.approx(5 / 8)
    assert not np.isfinite(error.value)
    assert error.exit_code == 3


@pytest.mark.parametrize("blocks", [1, 2])
def test_blocks_name_the_column_of_the_whole(slab, relax, blocks):
    (air, step), carry = start(slab, relax, 0)
    hot = type(air)(air.temperature.at[4, 1].set(1e38), air.pressure)
    closure = ColumnBlocks(relax, blocks)
    with pytest.raises(PhysicalStopError) as caught:
        coupled_run(slab, closure, (hot, step), closure.split(carry), 0, 8, chunk=3, watch=Watch({"tendency.heat": (-1.0, 1.0)}))
    assert (caught.value.name, caught.value.column, caught.value.level) == ("tendency.heat", 4, 1)
    assert caught.value.day == 0.0


def test_a_value_out_of_limits_is_named_one_step_after_its_cause(stop):
    error = stop("tendency", 0.02)  # 0.02 K/s over 10800 s: 216 K
    assert (error.name, error.column, error.level) == ("temperature", 3, 2)
    assert error.day == pytest.approx(6 / 8)
    assert error.value > 350.0
    assert error.limits == (150.0, 350.0)


@pytest.mark.parametrize("chunk", [2, 3, 6, 100])
def test_the_last_step_of_a_run_is_watched_too(stop, chunk):
    error = stop("tendency", 0.02, chunk=chunk, steps=6)  # the bad state is the one that the run would return
    assert error.day == pytest.approx(6 / 8)


def test_limits_hold_for_tendencies_and_fluxes_as_well(stop):
    error = stop("fluxes", 7.5, watch=Watch({"fluxes.rain": (-5.0, 5.0)}))
    assert (error.name, error.value, error.level) == ("fluxes.rain", 7.5, None)


def test_a_bad_start_is_found_before_the_first_step(slab, noise):
    (air, step), carry = start(slab, noise, 0)
    bad = type(air)(air.temperature.at[4, 1].set(jnp.nan), air.pressure)
    calls = []
    with pytest.raises(PhysicalStopError, match="temperature left .* column 4, level 1 at day 0.00"):
        coupled_run(slab, noise, (bad, step), carry, 0, 0, chunk=1, watch=Watch(), on_chunk=lambda *chunk: calls.append(chunk))
    assert calls == []


def test_the_last_healthy_checkpoint_is_named_and_holds_a_healthy_state(stop, slab, noise, tmp_path):
    error = stop(
        "tendency", 0.02, chunk=2, checkpoint=tmp_path
    )  # the state after the third chunk is bad: step 4 was the last good one
    assert error.checkpoint is not None
    assert error.checkpoint.name == "step_000000000004"
    assert str(error.checkpoint) in str(error)


def test_without_a_checkpoint_none_is_named(stop):
    assert stop("carry").checkpoint is None


def test_output_stops_with_the_last_healthy_chunk(stop):
    steps = []
    stop("carry", chunk=2, on_chunk=lambda step, records, state: steps.append(step))
    assert steps == [2, 4]


def test_a_healthy_run_is_left_alone(slab, noise):
    state, carry = start(slab, noise, 0)
    watched = coupled_run(slab, noise, state, carry, 0, 8, chunk=8, watch=WATCH)
    free = coupled_run(slab, noise, state, carry, 0, 8, chunk=8)
    np.testing.assert_array_equal(watched.carry, free.carry)
