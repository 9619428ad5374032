"""What a coupled run keeps of its single steps beside zonal means: squares, a histogram of rain, the energy scatter.

The variables are those of `parametra.climate.diagnostics.daily_summary`, which boils the truth down to the same.
"""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.diagnostics.precipitation import RAIN_EDGES
from parametra.climate.diagnostics.summary import HISTOGRAM, SQUARED
from parametra.climate.diagnostics.variability import SQUARE
from parametra.core.constants import HEAT_CAPACITY, LATENT_HEAT_CONDENSATION, SECONDS_PER_DAY


def step_moments(
    steps: Mapping[str, Array],
    precipitation: Float[Array, " column"],
    zonal: Callable[[Array], Array],
    layer_mass: Float[np.ndarray | Array, " level"],
    area: Float[np.ndarray | Array, " column"],
) -> dict[str, Array]:
    """Moments of one step.

    Args:
        steps: variables of the step by CF name, (column[, level]).
        precipitation: kg m-2 s-1.
        zonal: mean over longitude, (column, ...) -> (latitude, ...).
        layer_mass: mass of each layer per surface pressure [s2 m-1].
        area: share of the sphere of each column.

    Returns:
        square_of_NAME (latitude, level); precipitation_histogram (rain,); energy_scatter_x and so on (latitude,) [W m-2, W2 m-4].
    """
    pressure = steps["surface_air_pressure"]

    def column(x: Array) -> Array:
        return jnp.sum(x * layer_mass, axis=-1) * pressure

    latent = LATENT_HEAT_CONDENSATION * column(steps["tendency_of_specific_humidity"])
    x = steps["surface_upward_latent_heat_flux"] - latent
    longwave = steps["toa_outgoing_longwave_flux"] - steps["surface_net_upward_longwave_flux"]
    shortwave = steps["toa_net_downward_shortwave_flux"] - steps["surface_net_downward_shortwave_flux"]
    heat = HEAT_CAPACITY * column(steps["tendency_of_air_temperature"])
    y = heat - steps["surface_upward_sensible_heat_flux"] + longwave - shortwave
    scatter = {"x": x, "y": y, "xx": x * x, "xy": x * y, "residual_squared": (y - x) ** 2}
    edges = jnp.asarray(RAIN_EDGES[1:] / SECONDS_PER_DAY, jnp.float32)
    place = jnp.searchsorted(edges, precipitation, side="right")
    return {
        **{SQUARE + name: zonal(steps[name] ** 2) for name in SQUARED},
        **{f"energy_scatter_{name}": zonal(values) for name, values in scatter.items()},
        HISTOGRAM: jnp.zeros(RAIN_EDGES.size).at[place].add(area),
    }
