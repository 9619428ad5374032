"""What a run is worth, from stored fields alone: NumPy and xarray, no jax, any CF-named (time, latitude, longitude, level)."""

from parametra.climate.diagnostics.budgets import Budget as Budget
from parametra.climate.diagnostics.budgets import budget_dataset as budget_dataset
from parametra.climate.diagnostics.budgets import column_residuals as column_residuals
from parametra.climate.diagnostics.budgets import energy_budget as energy_budget
from parametra.climate.diagnostics.budgets import energy_scatter as energy_scatter
from parametra.climate.diagnostics.budgets import water_budget as water_budget
from parametra.climate.diagnostics.drift import daily_series as daily_series
from parametra.climate.diagnostics.drift import drift_table as drift_table
from parametra.climate.diagnostics.drift import late_climate as late_climate
from parametra.climate.diagnostics.means import climate_difference as climate_difference
from parametra.climate.diagnostics.means import mass_weighted_mean as mass_weighted_mean
from parametra.climate.diagnostics.means import precipitable_water as precipitable_water
from parametra.climate.diagnostics.means import rain_profile_scores as rain_profile_scores
from parametra.climate.diagnostics.means import split_half as split_half
from parametra.climate.diagnostics.means import temperature_rms as temperature_rms
from parametra.climate.diagnostics.means import zonal_climate as zonal_climate
from parametra.climate.diagnostics.sanity import Check as Check
from parametra.climate.diagnostics.sanity import world_checks as world_checks
from parametra.climate.diagnostics.scoreboard import scoreboard as scoreboard
from parametra.climate.diagnostics.skill import Skill as Skill
from parametra.climate.diagnostics.skill import fraction_of_ceiling as fraction_of_ceiling
from parametra.climate.diagnostics.skill import level_mean as level_mean
from parametra.climate.diagnostics.skill import per_cell_r2 as per_cell_r2
from parametra.climate.diagnostics.skill import pooled_r2 as pooled_r2
from parametra.climate.diagnostics.skill import window_mean as window_mean
from parametra.climate.diagnostics.zigzag import zigzag_share as zigzag_share
