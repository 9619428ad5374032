"""One suite over all column schemes: whatever closes an atmosphere obeys these laws, a user's ten lines included."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parametra.climate.columns import ColumnFluxes, ColumnTendency
from parametra.climate.emulator import Emulator, InputScaling, Limits, StochasticEmulator, TimeMean
from parametra.climate.emulator.vectors import INPUTS, OUTPUTS, size
from parametra.climate.equilibrium import Equilibrium
from parametra.climate.host.levels import LEVELS_20
from parametra.climate.schemes.conventional import Conventional
from parametra.climate.schemes.emulated import EmulatedScheme, StochasticScheme
from parametra.climate.schemes.multiscale import Multiscale
from parametra.core.constants import GRAVITY, HEAT_CAPACITY, LATENT_HEAT_CONDENSATION, LATENT_HEAT_FUSION
from parametra.coupling import Closure, coupled_run
from parametra.networks import MLP

HOST = Equilibrium(6, LEVELS_20)
MASS = np.diff(np.asarray(LEVELS_20)) * 1e5 / GRAVITY


class Ten(eqx.Module):
    """A user's scheme: evaporated water rains out at once, its heat goes to the lowest layer, no radiation."""

    def init(self, state, forcing, key):
        return ()

    def __call__(self, state, forcing, carry, key):
        zero, lowest = jnp.zeros_like(state.surface_pressure), jnp.zeros_like(state.temperature).at[:, -1].set(1.0)
        rain = forcing.latent_heat_flux / LATENT_HEAT_CONDENSATION
        heat = (forcing.sensible_heat_flux + forcing.latent_heat_flux) / (HEAT_CAPACITY * MASS[-1])
        tendency = ColumnTendency(lowest * heat[:, None], 0.0 * lowest)
        return tendency, ColumnFluxes(zero, zero, zero, zero, rain, zero), carry


def emulated() -> EmulatedScheme:
    """A random network with all its limits and its conservation layer."""
    inputs, outputs = size(INPUTS, 20), size(OUTPUTS, 20)
    mean, one = jnp.zeros(inputs), jnp.ones(inputs)
    scale = jnp.concatenate([jnp.full(20, 300.0), jnp.full(20, 0.02), jnp.full(20, 30.0), jnp.array([1e5, 1e3, 100.0, 100.0])])
    scaling = InputScaling(mean, scale, -1e9 * one, 1e9 * one, "variable")
    network = MLP.init(jax.random.key(0), inputs, outputs, (32, 32))
    return EmulatedScheme(Emulator(scaling, network, LEVELS_20, 1800.0, Limits(5), True, True))


def stochastic() -> StochasticScheme:
    """The same with noise in three modes. Its memory lasts for ever here: fresh noise belongs to a place, not to a column."""
    mean = emulated().emulator
    amplitude = MLP.init(jax.random.key(1), size(INPUTS, 20), 3, (8,))
    modes = 0.3 * jax.random.normal(jax.random.key(2), (size(OUTPUTS, 20), 3))
    return StochasticScheme(StochasticEmulator(mean, amplitude, modes, jnp.ones(3)))


def time_mean() -> TimeMean:
    """Constant tendencies that close: what the ten-line scheme says of the first state."""
    state, forcing = HOST.resolved(HOST.init(jax.random.key(0)))
    tendency, fluxes, _ = Ten()(state, forcing, (), jax.random.key(0))
    return TimeMean(tendency, fluxes)


SCHEMES = {
    "multiscale": lambda: Multiscale.build(LEVELS_20, 4),
    "conventional": lambda: Conventional(LEVELS_20),
    "emulated": emulated,
    "stochastic": stochastic,
    "time mean": time_mean,
    "ten lines": Ten,
}


@pytest.fixture(scope="module", params=list(SCHEMES))
def case(request):
    """A scheme, a state with its forcing, the scheme's memory after a step, and what it said."""
    scheme = SCHEMES[request.param]()
    state, forcing = HOST.resolved(HOST.init(jax.random.key(0)))
    call = eqx.filter_jit(lambda scheme, *arguments: scheme(*arguments))
    carry = scheme.init(state, forcing, jax.random.key(1))
    return scheme, state, forcing, carry, call(scheme, state, forcing, carry, jax.random.key(2)), call


def test_shapes_and_finite_values(case):
    scheme, state, _, carry, (tendency, fluxes, new_carry), _ = case
    assert isinstance(scheme, Closure)
    assert tendency.temperature.shape == tendency.specific_humidity.shape == (6, 20)
    assert all(leaf.shape == (6,) for leaf in jax.tree.leaves(fluxes))
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves((tendency, fluxes, new_carry)))
    assert jax.tree.structure(carry) == jax.tree.structure(new_carry)
    assert all(leaf.shape[0] == 6 for leaf in jax.tree.leaves(new_carry))
    assert bool(jnp.all(fluxes.rain >= 0.0))
    assert bool(jnp.all(fluxes.snow >= 0.0))
    assert bool(jnp.all(state.specific_humidity + 1800.0 * tendency.specific_humidity >= -1e-7))


def test_column_budgets_close(case):
    """Vapour and condensate against E - P; heat against fluxes, radiation and latent heat: to the rounding of float32 sums."""
    scheme, _, forcing, carry, (tendency, fluxes, new_carry), _ = case
    tolerance = 0.05 if isinstance(scheme, Multiscale) else 1e-3  # W m-2; the CRM adds up sixty steps and 160 cells
    wide = lambda x: np.asarray(x, np.float64)
    stored = frozen = np.zeros(6)
    if isinstance(scheme, Multiscale):
        condensate = lambda c: wide(c.diagnostics["cloud_water"]) + wide(c.diagnostics["precipitating_water"])
        stored = (condensate(new_carry) - condensate(carry)) / 1800.0
        frozen = (wide(new_carry.diagnostics["ice"]) - wide(carry.diagnostics["ice"])) / 1800.0
    rain, snow = wide(fluxes.rain), wide(fluxes.snow)
    water = (MASS * wide(tendency.specific_humidity)).sum(1) + stored
    supply = wide(forcing.latent_heat_flux) - LATENT_HEAT_CONDENSATION * (rain + snow)
    np.testing.assert_allclose(LATENT_HEAT_CONDENSATION * water, supply, atol=tolerance)
    radiation = wide(fluxes.net_shortwave_top) - wide(fluxes.net_shortwave_surface)
    radiation += wide(fluxes.net_longwave_surface) - wide(fluxes.net_longwave_top)
    latent = LATENT_HEAT_CONDENSATION * (rain + snow + stored) + LATENT_HEAT_FUSION * (snow + frozen)
    heat = HEAT_CAPACITY * (MASS * wide(tendency.temperature)).sum(1)
    np.testing.assert_allclose(heat, wide(forcing.sensible_heat_flux) + radiation + latent, atol=tolerance)


def test_columns_are_independent(case):
    scheme, state, forcing, carry, (tendency, fluxes, _), call = case
    order = np.array([5, 0, 3, 2, 4, 1])

    def take(tree):
        return jax.tree.map(lambda leaf: leaf[order], tree)

    if isinstance(scheme, TimeMean):  # its numbers belong to places
        scheme = take(scheme)
    permuted = call(scheme, take(state), take(forcing), take(carry), jax.random.key(2))
    np.testing.assert_allclose(permuted[0].temperature, tendency.temperature[order], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(permuted[1].rain, fluxes.rain[order], rtol=1e-5, atol=1e-10)


def test_vmap_over_states_is_a_loop(case):
    scheme, state, forcing, carry, (tendency, _, _), _ = case
    double = lambda tree: jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), tree)
    both = eqx.filter_vmap(lambda *a: scheme(*a, jax.random.key(2)))(double(state), double(forcing), double(carry))
    np.testing.assert_allclose(both[0].temperature[1], tendency.temperature, rtol=1e-3, atol=2e-7)


def test_it_drives_a_host(case):
    scheme, *_ = case
    state = HOST.init(jax.random.key(0))
    resolved, forcing = HOST.resolved(state)
    result = coupled_run(HOST, scheme, state, scheme.init(resolved, forcing, jax.random.key(1)), 0, 4, chunk=2)
    assert result.step == 4
    assert bool(jnp.all(jnp.isfinite(result.state.columns.temperature)))
