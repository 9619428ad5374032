"""The state of the resolved atmosphere, a pytree of arrays."""

import equinox as eqx
from jaxtyping import Array, Float, Int

from parametra.climate.columns import ColumnState
from parametra.climate.host.core import ModalState
from parametra.climate.host.ledger import Ledger, Totals


class HostState(eqx.Module):
    """Everything the next step depends on.

    Wind, temperature and pressure live as spherical harmonics and `columns` are their values; humidity lives in `columns` alone,
    where it can be kept positive, and is transformed afresh in each step.
    """

    modal: ModalState
    columns: ColumnState
    sensible_heat_flux: Float[Array, " column"]  # W m-2, upward, from the end of the last step
    latent_heat_flux: Float[Array, " column"]  # W m-2
    step: Int[Array, ""]  # number of steps since the start
    water_debt: Float[Array, ""]  # kg m-2 that the water fixer could not place in float32
    energy_debt: Float[Array, ""]  # J m-2, likewise
    ledger: Ledger  # of the last step
    totals: Totals
