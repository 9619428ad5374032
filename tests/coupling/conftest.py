"""Small systems that every law of the coupling is tried on."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parametra.coupling import Watch, coupled_run, start
from parametra.dynamics import FastScale, Lorenz96


class Air(eqx.Module):
    """Two variables on columns, one of them on levels."""

    temperature: jax.Array
    pressure: jax.Array


class Sun(eqx.Module):
    light: jax.Array


class Heating(eqx.Module):
    heat: jax.Array


class Rain(eqx.Module):
    rain: jax.Array


class Slab(eqx.Module):
    """A host of 5 columns and 3 levels, day and night in 8 steps, that adds up what it is given."""

    columns: int = eqx.field(static=True, default=5)
    time_step: float = eqx.field(static=True, default=10800.0)

    def init(self, key):
        return Air(jnp.full((self.columns, 3), 280.0), jnp.full((self.columns,), 1e5)), jnp.int32(0)

    def resolved(self, state):
        air, step = state
        return air, Sun(jnp.full((self.columns,), jnp.maximum(0.0, jnp.sin(step * (np.pi / 4)))))

    def step(self, state, tendency):
        air, step = state
        return Air(air.temperature + self.time_step * tendency.heat, air.pressure), step + 1

    def budget(self, state):
        return {"temperature": float(np.asarray(state[0].temperature, np.float64).mean())}


class Noise(eqx.Module):
    """Random heating whose memory is its running sum: any slip in keys, steps or memory shows in every later bit."""

    strength: jax.Array

    def init(self, resolved, forcing, key):
        return jnp.zeros_like(resolved.temperature)

    def __call__(self, resolved, forcing, carry, key):
        carry = carry + self.strength * jax.random.normal(key, resolved.temperature.shape)
        return Heating(1e-4 * carry), Rain(carry.sum(axis=1)), carry


class Relax(eqx.Module):
    """A closure without memory and without sums: linear in temperature and light."""

    rate: jax.Array

    def init(self, resolved, forcing, key):
        return ()

    def __call__(self, resolved, forcing, carry, key):
        heat = self.rate * (290.0 - resolved.temperature) + 1e-5 * forcing.light[:, None]
        return Heating(heat), Rain(forcing.light), carry


@pytest.fixture(scope="session")
def slab():
    return Slab()


@pytest.fixture(scope="session")
def noise():
    return Noise(jnp.float32(0.1))


@pytest.fixture(scope="session")
def relax():
    return Relax(jnp.float32(1e-5))


@pytest.fixture(scope="session")
def relax_type():
    return Relax


@pytest.fixture(scope="session")
def air_and_sun():
    return Air, Sun


@pytest.fixture(scope="session")
def lorenz():
    return Lorenz96(rings=4)


@pytest.fixture(scope="session")
def fast_scale():
    return FastScale(fast=16, own_ring=True)


def record_lorenz(resolved, forcing, tendency, fluxes, carry):
    return {"x": resolved.x, "u": tendency.x}


@pytest.fixture(scope="session")
def recorder():
    """One function object for all tests: another one would compile again."""
    return record_lorenz


@pytest.fixture(scope="session")
def truth(lorenz, fast_scale):
    """40 units of time of two-scale Lorenz-96 after 5 of spin-up: x and u `(step, column)`, and where it ended."""
    watch = Watch({"x": (-30.0, 30.0)}, day=1.0)
    begin = coupled_run(lorenz, fast_scale, *start(lorenz, fast_scale, 0), 0, 1000, chunk=1000, watch=watch)
    chunks = []
    end = coupled_run(
        lorenz, fast_scale, begin.state, begin.carry, 0, 8000, chunk=1000, start_step=begin.step, watch=watch,
        record=record_lorenz, reduce="none", on_chunk=lambda step, records, state: chunks.append(records),
    )  # fmt: skip
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in ("x", "u")}, end
