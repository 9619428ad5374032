"""What does not close in a column, in float64 from float32 fields: by this the conservation layer is judged."""

import numpy as np
from jaxtyping import Float

from parametra.climate.columns import ColumnFluxes, ColumnForcing, ColumnState, ColumnTendency
from parametra.core.constants import GRAVITY, HEAT_CAPACITY, LATENT_HEAT_CONDENSATION, LATENT_HEAT_SUBLIMATION


def column_residuals(
    state: ColumnState, forcing: ColumnForcing, tendency: ColumnTendency, fluxes: ColumnFluxes, sigma_half: tuple[float, ...]
) -> tuple[Float[np.ndarray, " column"], Float[np.ndarray, " column"]]:
    """(water, energy) residual of each column [W m-2]: storage minus supply; water times the latent heat of condensation."""
    wide = lambda array: np.asarray(array, np.float64)
    mass = wide(state.surface_pressure)[:, None] * np.diff(wide(sigma_half)) / GRAVITY
    rain, snow = wide(fluxes.rain), wide(fluxes.snow)
    evaporation = wide(forcing.latent_heat_flux) / LATENT_HEAT_CONDENSATION
    water = np.sum(mass * wide(tendency.specific_humidity), axis=1) - (evaporation - rain - snow)
    shortwave = wide(fluxes.net_shortwave_top) - wide(fluxes.net_shortwave_surface)
    longwave = wide(fluxes.net_longwave_surface) - wide(fluxes.net_longwave_top)
    latent = LATENT_HEAT_CONDENSATION * rain + LATENT_HEAT_SUBLIMATION * snow
    supply = wide(forcing.sensible_heat_flux) + shortwave + longwave + latent
    energy = HEAT_CAPACITY * np.sum(mass * wide(tendency.temperature), axis=1) - supply
    return LATENT_HEAT_CONDENSATION * water, energy
