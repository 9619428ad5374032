r"""The hard conservation layer: column water and energy close in every column, whatever the network said.

With layer masses m_k = ps dsigma_k / g, evaporation E = LHF / Lc, precipitation P of which a share s is snow:

    water    sum m_k dq_k    = E - P
    energy   sum m_k cp dT_k = SHF + FSNT - FSNS - FLNT + FLNS + (Lc (1 - s) + Ls s) P

which is the ledger of the CRM (falling rain leaves Lc behind, snow Ls) with condensate that stays in the air left out. A
residual r is spread in proportion to what the network predicted, x_k += r w_k / sum m w with w_k = |x_k| + a floor far below
any real tendency, so that a column of zeros gets the least-norm correction, equal in every layer. Twice, because the first pass
rounds.

The limits stay: where drying would pass -0.9 q / time step, layers that still have vapour take the rest, and where none has,
precipitation gives way. Only where dew alone exceeds what the column may take does moistening pass its limit, by that excess.

Source: the correction in proportion to |tendency| is that of the authors' code of Rasp, Pritchard & Gentine (2018); hard
constraints in the network after Beucler et al. (2021, Phys. Rev. Lett. 126, 098302). Ours treats limits and constraints
together.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.emulator.limits import Limits
from parametra.climate.emulator.vectors import Inputs, Outputs
from parametra.core.constants import (
    GRAVITY,
    HEAT_CAPACITY,
    LATENT_HEAT_CONDENSATION,
    LATENT_HEAT_FUSION,
)

SMALLEST_HEATING = 1e-9  # K s-1
SMALLEST_MOISTENING = 1e-13  # s-1


def conserve(inputs: Inputs, outputs: Outputs, limits: Limits, sigma_half: tuple[float, ...], time_step: float) -> Outputs:
    """The outputs with both budgets closed; `outputs` must be within `limits`. `time_step` [s]."""
    mass = layer_mass(inputs, sigma_half)
    moistening, precipitation = _close_water(inputs, outputs, limits, mass, time_step)
    outputs = dataclasses.replace(outputs, moistening=moistening, precipitation=precipitation)
    warming = energy_gain(inputs, outputs) * np.float32(1.0 / HEAT_CAPACITY)
    heating = outputs.heating
    for _ in range(2):
        heating = heating + _spread(warming - _sum(mass, heating), jnp.abs(heating) + SMALLEST_HEATING, mass)
    return dataclasses.replace(outputs, heating=heating)


def layer_mass(inputs: Inputs, sigma_half: tuple[float, ...]) -> Float[Array, "column level"]:
    """Mass of each layer [kg m-2]."""
    return inputs.surface_pressure[:, None] * (np.diff(np.asarray(sigma_half)) / GRAVITY).astype(np.float32)


def energy_gain(inputs: Inputs, outputs: Outputs) -> Float[Array, " column"]:
    """What warms the column [W m-2]: surface sensible heat, radiation, and the latent heat that precipitation leaves behind."""
    latent = LATENT_HEAT_CONDENSATION + LATENT_HEAT_FUSION * inputs.snow_share
    shortwave = outputs.net_shortwave_top - outputs.net_shortwave_surface
    longwave = outputs.net_longwave_surface - outputs.net_longwave_top
    return inputs.sensible_heat_flux + shortwave + longwave + latent * outputs.precipitation


def _close_water(
    inputs: Inputs, outputs: Outputs, limits: Limits, mass: Float[Array, "column level"], time_step: float
) -> tuple[Float[Array, "column level"], Float[Array, " column"]]:
    moist = limits.moist(mass.shape[1])
    driest = limits.driest(inputs, time_step)
    evaporation = inputs.latent_heat_flux * np.float32(1.0 / LATENT_HEAT_CONDENSATION)
    wanted = evaporation - outputs.precipitation
    moistening = outputs.moistening
    weight = (jnp.abs(moistening) + SMALLEST_MOISTENING) * moist
    moistening = jnp.maximum(moistening + _spread(wanted - _sum(mass, moistening), weight, mass), driest)
    # Second pass: rounding, and what the limit refused, from the layers that still have vapour to give.
    missing = wanted - _sum(mass, moistening)
    spare = (moistening - driest) * moist
    share = jnp.clip(-missing / jnp.maximum(_sum(mass, spare), 1e-30), 0.0, 1.0)
    wetter = _spread(jnp.maximum(missing, 0.0), weight, mass)
    moistening = moistening + wetter - share[:, None] * spare
    # Whatever is left, rounding as a rule, is precipitation; that cannot be negative, so dew on a dry column takes vapour.
    left = evaporation - _sum(mass, moistening)
    moistening = moistening + _spread(jnp.minimum(left, 0.0), jnp.broadcast_to(moist, mass.shape), mass)
    return moistening, jnp.maximum(left, 0.0)


def _sum(mass: Float[Array, "column level"], tendency: Float[Array, "column level"]) -> Float[Array, " column"]:
    return jnp.sum(mass * tendency, axis=1)


def _spread(
    residual: Float[Array, " column"], weight: Float[Array, "column level"], mass: Float[Array, "column level"]
) -> Float[Array, "column level"]:
    """The tendency in proportion to `weight` whose column sum is `residual`."""
    return (residual / _sum(mass, weight))[:, None] * weight
