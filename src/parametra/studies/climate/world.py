"""Stage world: does the truth deserve trust? Its climate against ranges, its budgets, its fixers."""

from typing import Any

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.blocks import time_blocks
from parametra.climate.diagnostics.budgets import CONDENSATE, ICE, Budget, budget_dataset, energy_budget, water_budget
from parametra.climate.diagnostics.sanity import world_checks
from parametra.core.constants import HEAT_CAPACITY, LATENT_HEAT_CONDENSATION, SECONDS_PER_DAY
from parametra.store.fields import open_fields, write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.climate.truth import truth_fields

WATER_FIXERS = ("moistening_limit", "column_fill", "global_fill", "water_fixer")
ENERGY_FIXERS = ("energy_fixer", "truncated_heat", "diffusion_heating", "drag_heating")


def judge_world(run: Run) -> dict[str, Any]:
    """Checks and budgets of everything after the spin-up."""
    fields = _with_condensate_before(run)
    fixers = ledger_means(run)
    water = water_budget(fields)
    energy = energy_budget(fields, other_heating=fixers["stratospheric_relaxation"])
    write_fields(run.folder.fields("budgets"), budget_dataset(water, energy))
    checks = [
        Metric(
            check.name, check.value, check.unit,
            None if not np.isfinite(check.low) else ((check.low, check.high) if np.isfinite(check.high) else check.low),
            "inside" if np.isfinite(check.high) else "higher", "physics", "truth after spin-up",
        )
        for check in world_checks(fields)
    ]  # fmt: skip
    return {"metrics": [*checks, *_budget_rows(water, energy, fields), *_fixer_rows(fixers)]}


def _with_condensate_before(run: Run) -> xr.Dataset:
    """All steps after the spin-up, the CRM's condensate as it was before each step, like the state; it is recorded after."""
    truth, step = run.config.truth, run.config.host.time_step / SECONDS_PER_DAY
    recorded = truth_fields(run, max(truth.spin_up_days - step, 0.0), truth.days)
    fields, before = recorded.isel(time=slice(1, None)), recorded.isel(time=slice(0, -1))
    # variables, placed by position, stay on disk; a shift would read them all
    return fields.assign({name: before[name].variable for name in (*CONDENSATE, ICE) if name in fields})


def ledger_means(run: Run) -> dict[str, float]:
    """Mean of every ledger entry after the spin-up, per second or in its own unit."""
    ledger = open_fields(run.folder.fields("ledger")).load()
    per_day = run.config.host.steps_per_day
    steps = np.round(ledger.time.values * per_day)
    start = int(np.searchsorted(steps, run.config.truth.spin_up_days * per_day - 0.5))
    base = {name: float(ledger[name][start]) for name in ledger.data_vars}
    span = max(steps[-1] - steps[start], 1.0)
    return {str(name): (float(ledger[name][-1]) - base[name]) / span for name in ledger.data_vars}


def _budget_rows(water: Budget, energy: Budget, fields: xr.Dataset) -> list[Metric]:
    source = "truth after spin-up, float64 sums over every step"
    rows = [
        Metric("E - P - storage of vapour and condensate", abs(water.residual.mean), "mm/day", 0.01, "lower", "physics", source),
        Metric("radiative cooling - latent - sensible heating - storage", abs(energy.residual.mean), "W m-2", 1.0, source=source),
        Metric("column water residual of the closure, rms", water.column_rms, "mm/day", kind="physics", source=source),
        Metric("column energy residual of the closure, rms", energy.column_rms, "W m-2", kind="physics", source=source),
    ]  # fmt: skip
    if "largest_courant_number" in fields:
        largest = max(float(block.largest_courant_number.max()) for block in time_blocks(fields[["largest_courant_number"]]))
        rows.append(Metric("largest Courant number of the CRM", largest, "1", 1.0))
    return rows


def _fixer_rows(fixers: dict[str, float]) -> list[Metric]:
    rows = [
        Metric(
            f"host fixer: {name.replace('_', ' ')}", abs(fixers[name]) * SECONDS_PER_DAY, "mm/day",
            0.01 if name in ("global_fill", "water_fixer") else None, source="ledger, mean after spin-up",
        )
        for name in WATER_FIXERS
    ]  # fmt: skip
    rows += [
        Metric(
            f"host fixer: {name.replace('_', ' ')}", abs(fixers[name]), "W m-2",
            1.0 if name in ("energy_fixer", "truncated_heat") else None, "lower", "physics", "ledger, mean after spin-up",
        )
        for name in ENERGY_FIXERS
    ]  # fmt: skip
    air = abs(fixers["mass_fixer"])
    rows.append(
        Metric(
            "host fixer: dry mass, as enthalpy", air * HEAT_CAPACITY * 255.0, "W m-2", 1.0, source="cp 255 K times the mass made"
        )
    )
    rows.append(Metric("host fixer: dry mass", air * SECONDS_PER_DAY, "kg m-2 day-1", source="of 10,200 kg m-2"))
    rows.append(Metric("share of points below zero humidity before the filler", fixers["negative_humidity"], "1"))
    rows.append(Metric("stratospheric relaxation", fixers["stratospheric_relaxation"], "W m-2"))
    rows.append(
        Metric("latent heat of the water fixer", abs(fixers["water_fixer"]) * LATENT_HEAT_CONDENSATION, "W m-2", 1.0, "lower")
    )
    return rows
