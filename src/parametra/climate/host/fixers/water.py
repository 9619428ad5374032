"""The global mass of vapour is kept by one factor on humidity: a few parts in a million per step."""

import equinox as eqx
import jax.numpy as jnp

from parametra.climate.columns import ColumnState
from parametra.climate.host.sums import GlobalSums, Scalar


def restore_water(columns: ColumnState, sums: GlobalSums, before: ColumnState, gain: Scalar) -> tuple[ColumnState, Scalar]:
    """Columns of positive humidity, scaled to hold `gain` [kg m-2] more than `before`, and the mass made by that."""
    made = gain - sums.water_change(before, columns)
    humidity = columns.specific_humidity
    present = sums.integral(humidity, columns.surface_pressure)
    scaled = humidity + humidity * (made / jnp.maximum(present, 1e-12))
    return eqx.tree_at(lambda c: c.specific_humidity, columns, scaled), made
