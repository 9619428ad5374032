"""Ten moist days in float32: the fixers close the budgets, as float64 sums judge them, and they stay small."""

import numpy as np
import pytest

from parametra.core.constants import SECONDS_PER_DAY

TEN_DAYS = 10.0 * SECONDS_PER_DAY
MILLIMETRES_PER_DAY = 1.0 / SECONDS_PER_DAY  # kg m-2 s-1


@pytest.fixture(scope="module")
def drift(host, moist_run):
    start, end = host.budget(moist_run.start), host.budget(moist_run.end)
    return {name: end[name] - start[name] for name in ("mass", "water_vapour", "energy")}, start


def test_mass_does_not_drift(drift):
    change, start = drift
    assert abs(change["mass"]) < 1e-7 * start["mass"]


def test_water_is_what_the_closure_gave(drift, moist_run):
    change, start = drift
    assert abs(moist_run.gained_water) > 0.01  # kg m-2: the test is about a world with a water cycle
    assert abs(change["water_vapour"] - moist_run.gained_water) < 1e-7 * start["water_vapour"]


def test_energy_is_what_closure_and_stratosphere_gave(drift, moist_run):
    change, _ = drift
    stratosphere = moist_run.ledger["stratospheric_relaxation"].sum() * 1800.0
    residual = (change["energy"] - moist_run.gained_heat - stratosphere) / TEN_DAYS
    assert abs(residual) < 0.01  # W m-2


def test_no_humidity_is_negative_and_few_points_were(moist_run):
    assert moist_run.lowest_humidity >= 0.0
    share = moist_run.ledger["negative_humidity"].mean()
    assert 0.0 < share < 0.17


@pytest.mark.parametrize(
    ("entry", "limit"),
    [
        ("water_fixer", 0.01 * MILLIMETRES_PER_DAY), ("global_fill", 0.01 * MILLIMETRES_PER_DAY),
        ("truncated_water", 0.01 * MILLIMETRES_PER_DAY), ("mixing_water", 1e-5 * MILLIMETRES_PER_DAY),
        ("moistening_limit", 0.01 * MILLIMETRES_PER_DAY),
        ("energy_fixer", 1.0), ("truncated_heat", 1.0), ("mixing_heat", 1e-3),
    ],
)  # fmt: skip
def test_corrections_are_small(moist_run, entry, limit):
    assert abs(moist_run.ledger[entry].mean()) < limit


def test_dissipation_heats(moist_run):
    assert np.all(moist_run.ledger["drag_heating"] > 0.0)
    assert np.all(moist_run.ledger["diffusion_heating"] > 0.0)
    assert 0.05 < moist_run.ledger["drag_heating"].mean() < 5.0  # W m-2; the real atmosphere dissipates about two


def test_budget_shows_the_mean_of_every_ledger_entry(host, moist_run):
    budget = host.budget(moist_run.end)
    for name, record in moist_run.ledger.items():
        np.testing.assert_allclose(budget[name], record.mean(), rtol=1e-5, atol=1e-30)  # float32 entries, compensated sums


def test_angular_momentum_is_that_of_the_rotating_earth(host, moist_run):
    budget = host.budget(moist_run.end)
    resting = budget["mass"] * 7.292e-5 * 6.37122e6**2 * 2.0 / 3.0
    assert abs(budget["angular_momentum"] / resting - 1.0) < 0.03
