"""What the stages share: columns of the twins, segments of the truth, records and their way back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parametra.climate.diagnostics import daily_summary
from parametra.climate.host.atmosphere import Atmosphere
from parametra.core import machine
from parametra.studies.climate import STUDY, parts
from parametra.studies.climate.ceiling import choose_columns
from parametra.studies.climate.climate import wilson
from parametra.studies.climate.coupled import climate_score, keeps_climate
from parametra.studies.climate.diagnostics import spearman_brown
from parametra.studies.climate.training import at_once
from parametra.studies.climate.truth import chunk_steps, segment_ends


@pytest.mark.parametrize("preset", STUDY.presets())
def test_segments_end_on_chunks_leave_room_for_the_twins_and_reach_the_end(preset):
    config = STUDY.resolve(preset)
    ends, chunk = segment_ends(config), chunk_steps(config)  # type: ignore[arg-type]
    per_day = config.host.steps_per_day  # pyright: ignore[reportAttributeAccessIssue]
    assert all(end % chunk == 0 for end in ends)
    assert sorted(set(ends)) == ends
    twins = (config.ceiling.settle_hours + config.ceiling.score_hours) / 24.0 * per_day  # pyright: ignore
    assert ends[-2] + twins <= ends[-1]
    assert ends[-1] >= config.truth.days * per_day  # pyright: ignore


def test_twin_columns_are_distinct_and_cover_all_latitudes():
    for turn in range(8):
        columns = choose_columns((16, 32), 64, turn)
        assert len(set(columns.tolist())) == 64
        assert set(columns // 32) == set(range(16))
    for count in (1, 5, 16, 24, 47, 512):
        columns = choose_columns((16, 32), count, 3)
        assert len(set(columns.tolist())) == count
        assert np.ptp(np.bincount(columns // 32, minlength=16)) <= 1
    assert not np.array_equal(choose_columns((16, 32), 64, 0), choose_columns((16, 32), 64, 1))


def test_recorded_columns_come_back_as_they_were():
    host = Atmosphere(STUDY.resolve("smoke", ["host.spin_up.days=1.0"]).host)  # pyright: ignore
    state = host.init(jax.random.key(0))
    columns, forcing = host.resolved(state)
    zero = jax.tree.map(lambda x: 0.0 * x, columns)
    tendency = parts.ColumnTendency(zero.temperature, zero.temperature)
    fluxes = parts.ColumnFluxes(*(zero.surface_pressure for _ in range(6)))
    records = {k: np.asarray(v)[None] for k, v in parts.record_steps(columns, forcing, tendency, fluxes, ()).items()}
    fields = parts.column_fields(host.grid, records, np.array([0.5]))
    assert fields.air_temperature.dims == ("time", "latitude", "longitude", "level")
    back, back_forcing = parts.columns_of(fields.isel(time=0), host.time_step)
    for name in ("temperature", "specific_humidity", "eastward_wind", "surface_pressure"):
        np.testing.assert_array_equal(getattr(back, name), getattr(columns, name))
    np.testing.assert_array_equal(back_forcing.latent_heat_flux, forcing.latent_heat_flux)


def test_the_score_is_one_at_the_limits_and_keeping_needs_all_four():
    limit = {"mean_temperature": 1.5, "zonal_temperature_rms": 3.0, "precipitable_water": -0.1, "rain_profile_r": 0.9}
    assert climate_score(limit) == pytest.approx(1.0)
    good = {"mean_temperature": 0.1, "zonal_temperature_rms": 1.0, "precipitable_water": 0.01, "rain_profile_r": 0.98}
    assert keeps_climate(good)
    for name, value in {
        "mean_temperature": -1.6,
        "zonal_temperature_rms": 3.1,
        "precipitable_water": 0.2,
        "rain_profile_r": 0.8,
    }.items():
        assert not keeps_climate(good | {name: value})


def test_wilson_interval_of_three_in_three():
    """Wilson (1927): 3 of 3 has the lower bound n / (n + z^2)."""
    low, high = wilson(3, 3)
    assert low == pytest.approx(3 / (3 + 1.96**2))
    assert high == pytest.approx(1.0)


def test_what_a_coupled_run_keeps_is_the_summary_of_its_columns():
    """The recorder's moments in float32 against the same from stored columns in float64, over a day of one state."""
    host = Atmosphere(STUDY.resolve("smoke", ["host.spin_up.days=1.0"]).host)  # pyright: ignore
    columns, forcing = host.resolved(host.init(jax.random.key(0)))
    random = np.random.default_rng(0)
    heating, drying = (scale * random.normal(size=columns.temperature.shape) for scale in (1e-4, 1e-7))
    flux = [np.abs(random.normal(size=columns.surface_pressure.shape)) for _ in range(6)]
    fluxes = parts.ColumnFluxes(
        *(jnp.asarray(scale * x, jnp.float32) for scale, x in zip((200, 150, 230, 60, 1e-4, 1e-6), flux, strict=True))
    )
    tendency = parts.ColumnTendency(jnp.asarray(heating, jnp.float32), jnp.asarray(drying, jnp.float32))
    kept = parts.zonal_recorder(*host.grid.shape, tuple(host.config.sigma_half))(columns, forcing, tendency, fluxes, ())
    online = parts.zonal_fields(host.grid, {name: np.asarray(values) for name, values in kept.items()}, 0.5)
    steps = {name: np.asarray(x)[None] for name, x in parts.record_steps(columns, forcing, tendency, fluxes, ()).items()}
    summary = daily_summary(parts.column_fields(host.grid, steps, np.array([0.0])))
    names = [name for name in summary.data_vars if name in online]
    assert {"precipitation_histogram", "energy_scatter_xy", "square_of_tendency_of_air_temperature"} <= set(names)
    for name in names:
        expected = summary[name].values
        np.testing.assert_allclose(
            online[name].transpose(*summary[name].dims), expected, rtol=2e-4, atol=1e-5 * abs(expected).max()
        )


def test_two_records_agree_as_their_halves_foretell():
    """Signal and noise of one size: halves agree by 1/2, whole records, with half the noise, by 2/3."""
    random = np.random.default_rng(0)
    signal = random.normal(size=20000)
    quarters = signal + random.normal(size=(4, 20000))
    half = np.corrcoef(quarters[0], quarters[1])[0, 1]
    whole = np.corrcoef(quarters[:2].mean(0), quarters[2:].mean(0))[0, 1]
    assert spearman_brown(half) == pytest.approx(whole, abs=0.02)
    assert spearman_brown(1.0) == 1.0


def test_as_many_networks_train_at_once_as_there_is_room_for():
    assert at_once(10**9, free=3.9) == 1  # each takes twice the data
    assert at_once(10**9, free=0.1) == 1
    assert at_once(1, free=1.0) == machine.cores()
    assert at_once(0, free=1.0) == machine.cores()
    assert [at_once(10**8, free=0.51), at_once(10**8, free=0.74)] == [min(2, machine.cores())] * 2


def test_where_the_system_does_not_tell_half_of_all_memory_counts_as_free(monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda: None)
    monkeypatch.setattr(machine, "total_memory", lambda: 8.0)
    monkeypatch.setattr(machine, "cores", lambda: 16)
    assert at_once(10**9) == at_once(10**9, free=4.0) == 1
    assert at_once(10**7) == at_once(10**7, free=4.0) == 16
