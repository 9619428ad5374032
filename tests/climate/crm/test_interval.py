"""One interval: water and energy close, the mean follows the host, columns do not see each other, bad calls are refused."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parametra.climate.columns import ColumnForcing
from parametra.climate.equilibrium import Equilibrium
from parametra.climate.host.levels import LEVELS_20
from parametra.climate.schemes.multiscale import Multiscale, heights
from parametra.core.constants import HEAT_CAPACITY, LATENT_HEAT_CONDENSATION
from parametra.core.errors import UsageError
from parametra.coupling import coupled_run, start

HOST = Equilibrium(8, LEVELS_20)
SCHEME = Multiscale.build(LEVELS_20)


def record(state, forcing, tendency, fluxes, carry):
    """Audit of every step."""
    return {
        "rain": fluxes.precipitation,
        "evaporation": forcing.latent_heat_flux / LATENT_HEAT_CONDENSATION,
        "content": carry.diagnostics["cloud_water"] + carry.diagnostics["precipitating_water"],
        **{name: carry.diagnostics[name] for name in ("water_residual", "energy_residual", "largest_courant")},
    }


@pytest.fixture(scope="module")
def run():
    """Ten days, rain from the second: the state, the memory and all records."""
    state, carry = start(HOST, SCHEME, 0)
    records = []
    result = coupled_run(
        HOST, SCHEME, state, carry, 0, 480, chunk=48, record=record, reduce="none", on_chunk=lambda _, r, __: records.append(r)
    )
    return state, result, {name: np.concatenate([r[name] for r in records]).astype(np.float64) for name in records[0]}


def test_it_rains_and_stays_stable(run):
    _, _, records = run
    assert records["rain"][-24:].mean() * 86400.0 > 0.5
    assert records["largest_courant"].max() < 1.0


def test_water_of_every_interval_closes(run):
    """Residual of all intervals within 1e-4 of what passed through, and no drift beyond it (float32 sums of 60 steps)."""
    _, _, records = run
    throughput = (records["evaporation"] * 1800.0).sum(0)
    assert np.abs(records["water_residual"].sum(0)).max() < 1e-4 * throughput.max()


def test_energy_of_every_interval_closes(run):
    _, _, records = run
    assert np.abs(records["energy_residual"].mean(0)).max() / 1800.0 < 0.1


def test_water_of_host_and_crm_together_closes(run):
    """Vapour of the host plus condensate of the CRM against evaporation minus precipitation, over ten days."""
    state, result, records = run
    before, after = (HOST.budget(s)["water"] for s in (state, result.state))
    stored = after + records["content"][-1].mean() - before
    passed = ((records["evaporation"] - records["rain"]) * 1800.0).sum(0).mean()
    assert stored == pytest.approx(passed, abs=2e-4 * (records["evaporation"] * 1800.0).sum(0).mean())


@pytest.mark.parametrize("ratio", [0.9, 1.0, 1.05])
def test_mapping_closes_at_any_surface_pressure(run, ratio):
    """Fluxes go in times p_ref/ps and come out times ps/p_ref: the host's own masses balance."""
    _, result, _ = run
    state, forcing = HOST.resolved(result.state)
    pressure = jnp.full_like(state.surface_pressure, ratio * 1e5)
    state = type(state)(state.temperature, state.specific_humidity, state.eastward_wind, state.northward_wind, pressure)
    call = jax.jit(lambda *a: SCHEME(*a))
    # A first step lets the clouds find the new pressure; the second is judged.
    _, _, before = call(state, forcing, result.carry, jax.random.key(0))
    tendency, fluxes, carry = call(state, forcing, before, jax.random.key(0))
    content = before.diagnostics["cloud_water"] + before.diagnostics["precipitating_water"]
    mass = np.diff(np.asarray(LEVELS_20)) * np.asarray(pressure)[:, None] / 9.80616
    vapour = 1800.0 * (mass * np.asarray(tendency.specific_humidity, np.float64)).sum(1)
    now = carry.diagnostics["cloud_water"] + carry.diagnostics["precipitating_water"]
    passed = 1800.0 * (np.asarray(forcing.latent_heat_flux, np.float64) / LATENT_HEAT_CONDENSATION - fluxes.precipitation)
    np.testing.assert_allclose(vapour + np.asarray(now - content, np.float64), passed, atol=2e-4)


def test_columns_do_not_see_each_other(run):
    _, result, _ = run
    state, forcing = HOST.resolved(result.state)
    order = np.array([3, 1, 7, 0, 2, 6, 5, 4])
    call = jax.jit(lambda *a: SCHEME(*a))
    plain = call(state, forcing, result.carry, jax.random.key(0))
    take = lambda tree: jax.tree.map(lambda leaf: leaf[order], tree)
    permuted = call(take(state), take(forcing), take(result.carry), jax.random.key(0))
    np.testing.assert_array_equal(permuted[0].temperature, plain[0].temperature[order])
    np.testing.assert_array_equal(permuted[1].rain, plain[1].rain[order])


def test_a_crm_and_its_mirror_image_do_the_same(run):
    """Left and right are equal: cells in opposite order and winds reversed give the same tendencies, within round-off."""
    _, result, _ = run
    state, forcing = HOST.resolved(result.state)
    wind = jnp.linspace(20.0, -8.0, 20, dtype=jnp.float32) + jnp.zeros_like(state.temperature)
    state = replace(state, eastward_wind=wind)

    def turned(crm):
        cells = jax.tree.map(lambda a: a[..., ::-1], crm)
        faces = lambda u: -jnp.roll(u[..., ::-1], 1, axis=-1)
        a = crm.acceleration
        odd = (faces(crm.u), faces(a[0]), faces(a[2]), crm.reference_temperature)
        return eqx.tree_at(lambda c: (c.u, c.acceleration[0], c.acceleration[2], c.reference_temperature), cells, odd)

    call = jax.jit(lambda *a: SCHEME(*a))
    plain = call(state, forcing, result.carry, jax.random.key(0))
    carry = eqx.tree_at(lambda c: c.crm, result.carry, turned(result.carry.crm))
    mirrored = call(replace(state, eastward_wind=-wind), forcing, carry, jax.random.key(0))
    largest = np.abs(plain[0].temperature).max()
    np.testing.assert_allclose(mirrored[0].temperature, plain[0].temperature, atol=2e-3 * largest)
    np.testing.assert_allclose(mirrored[2].crm.temperature, turned(plain[2].crm).temperature, atol=2e-2)
    np.testing.assert_allclose(mirrored[2].crm.u, turned(plain[2].crm).u, atol=5e-2)


def test_perturbed_twins_have_the_hosts_means(run):
    _, result, _ = run
    state, _ = HOST.resolved(result.state)
    twin = SCHEME.perturb(result.carry, state, jax.random.key(1))
    noise = np.asarray(twin.crm.temperature - result.carry.crm.temperature)
    assert noise.std() == pytest.approx(0.1 * np.sqrt(7 / 8), rel=0.1)
    np.testing.assert_allclose(noise.mean(axis=2), 0.0, atol=1e-6)


def test_heights_are_hydrostatic_for_an_isothermal_atmosphere():
    sigma = 0.5 * (np.asarray(LEVELS_20)[1:] + np.asarray(LEVELS_20)[:-1])
    z = heights(LEVELS_20, jnp.full((1, 20), 250.0), jnp.zeros((1, 20)))
    expected = -HEAT_CAPACITY * 2.0 / 7.0 * 250.0 / 9.80616 * np.log(sigma)
    np.testing.assert_allclose(z[0], expected, rtol=1e-5)


def test_a_step_that_does_not_fit_is_refused(run):
    state, forcing = HOST.resolved(run[0])
    wrong = ColumnForcing(
        forcing.surface_temperature, forcing.insolation, forcing.cosine_zenith, forcing.sensible_heat_flux,
        forcing.latent_heat_flux, time_step=1000.0,
    )  # fmt: skip
    with pytest.raises(UsageError, match="even number of CRM steps.*Remedy"):
        SCHEME(state, wrong, run[1].carry, jax.random.key(0))


def test_arithmetic_per_cell_and_step_stays_below_1200():
    """Lost fences would multiply it by three; the body of the scan holds two steps."""
    state, forcing = HOST.resolved(run_state := HOST.init(jax.random.key(0)))
    carry = SCHEME.init(state, forcing, jax.random.key(0))
    compiled = jax.jit(lambda *a: SCHEME(*a)).lower(state, forcing, carry, jax.random.key(0)).compile()
    cells = 8 * 8 * 20
    analysis = compiled.cost_analysis()
    assert analysis is not None
    assert analysis["flops"] / cells / 2.0 < 1200.0
    assert run_state.columns.temperature.shape == (8, 20)
