"""Columns here are (column, level) with latitude outermost; jcm's fields (level, longitude, latitude). The top comes first."""

import jax.numpy as jnp
from jaxtyping import Array, Float

PRESSURE = 1e5  # Pa, by which jcm normalises surface pressure, whatever its mean


def to_field(columns: Float[Array, "column level"], shape: tuple[int, int]) -> Float[Array, "level longitude latitude"]:
    """Columns of a grid of `shape` = (latitudes, longitudes) as jcm's field."""
    return jnp.transpose(columns.reshape(*shape, columns.shape[1]), (2, 1, 0))


def to_columns(field: Float[Array, "level longitude latitude"]) -> Float[Array, "column level"]:
    """Columns of a field of jcm."""
    return jnp.transpose(field, (2, 1, 0)).reshape(-1, field.shape[0])


def to_surface(column: Float[Array, " column"], shape: tuple[int, int]) -> Float[Array, "longitude latitude"]:
    """One number per column as jcm's surface field."""
    return column.reshape(shape).T


def from_surface(field: Float[Array, "longitude latitude"]) -> Float[Array, " column"]:
    """One number per column of a surface field of jcm."""
    return field.T.reshape(-1)
