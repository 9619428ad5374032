"""What a cloud-resolving model holds, is given, and gives back; fields are (z, x, column), z upward."""

import equinox as eqx
from jaxtyping import Array, Float


class CRMState(eqx.Module):
    """Prognostic fields, with temperatures as deviations from a reference that is fixed over one interval.

    Deviations of a few kelvin keep four bits of float32 that 300 K would lose, and with them the energy budget.
    """

    u: Float[Array, "z x column"]  # m s-1, left faces
    w: Float[Array, "half x column"]  # m s-1, interfaces
    liquid_temperature: Float[Array, "z x column"]  # K: T - (Lc qliq + Ls qice)/cp minus reference
    temperature: Float[Array, "z x column"]  # K, minus reference
    total_water: Float[Array, "z x column"]  # kg kg-1: vapour and cloud
    precipitating_water: Float[Array, "z x column"]  # kg kg-1
    reference_temperature: Float[Array, "z column"]  # K
    acceleration: tuple[
        Float[Array, "z x column"], Float[Array, "half x column"], Float[Array, "z x column"], Float[Array, "half x column"]
    ]  # m s-2: of u and w one and two steps back, for Adams-Bashforth


class CRMForcing(eqx.Module):
    """What the host and the sun do to the CRM over one interval; constant in time."""

    temperature: Float[Array, "z column"]  # K, towards which the mean is taken
    vapour: Float[Array, "z column"]  # kg kg-1, likewise
    wind: Float[Array, "z column"]  # m s-1 along x, likewise
    height: Float[Array, "z column"]  # m, of the host's layers
    pressure: Float[Array, "z column"]  # Pa, for saturation
    heating: Float[Array, "z x column"]  # K s-1, by radiation
    sensible_heat_flux: Float[Array, " column"]  # W m-2, upward, per unit of CRM mass
    evaporation: Float[Array, " column"]  # kg m-2 s-1, per unit of CRM mass
    surface_wind: Float[Array, " column"]  # m s-1


class CRMMeans(eqx.Module):
    """Means over x at the end of an interval, fluxes averaged over it, and the audit, per column and in CRM masses."""

    temperature: Float[Array, "z column"]  # K, minus the host's
    vapour: Float[Array, "z column"]  # kg kg-1
    rain: Float[Array, " column"]  # kg m-2 s-1
    snow: Float[Array, " column"]  # kg m-2 s-1
    latent_flux: Float[Array, " column"]  # W m-2: Lc rain + Ls snow
    cloud_water: Float[Array, " column"]  # kg m-2, liquid and ice
    precipitating_water: Float[Array, " column"]  # kg m-2
    ice: Float[Array, " column"]  # kg m-2, the frozen part of cloud and precipitating water
    water_residual: Float[Array, " column"]  # kg m-2 over the interval
    energy_residual: Float[Array, " column"]  # J m-2 over the interval
    returned_heat: Float[Array, " column"]  # W m-2: dissipated kinetic energy given back
    largest_courant: Float[Array, " column"]  # 1
    largest_updraught: Float[Array, " column"]  # m s-1
