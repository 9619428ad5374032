"""The null closure: every column always gets its own mean tendencies and fluxes."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import PRNGKeyArray

from parametra.climate.columns import ColumnFluxes, ColumnForcing, ColumnState, ColumnTendency
from parametra.climate.diagnostics.blocks import mean_in_blocks
from parametra.climate.emulator.limits import DRYING_SHARE
from parametra.core.errors import DataError

PROFILES = ("tendency_of_air_temperature", "tendency_of_specific_humidity")
FLUXES = (
    "toa_net_downward_shortwave_flux",
    "surface_net_downward_shortwave_flux",
    "toa_outgoing_longwave_flux",
    "surface_net_upward_longwave_flux",
    "rainfall_flux",
    "snowfall_flux",
)


class TimeMean(eqx.Module):
    """A scheme without memory that repeats the mean of the truth; moistening never below -0.9 q / time step.

    Attributes:
        tendency: mean tendencies of every column.
        fluxes: mean fluxes of every column.
    """

    tendency: ColumnTendency
    fluxes: ColumnFluxes

    @classmethod
    def of(cls, fields: xr.Dataset, zonal: bool = True) -> "TimeMean":
        """The means of `fields` (CF names), over longitude too if `zonal`, as suits a world that is the same along a latitude.

        Raises:
            DataError: a missing variable or no steps.
        """
        missing = [name for name in (*PROFILES, *FLUXES) if name not in fields]
        if missing or not fields.sizes["time"]:
            what = f"have no {missing[0]}" if missing else "hold no steps"
            raise DataError(f"The fields {what}. Likely cause: another store or stretch. Remedy: give the fields of the truth.")
        mean = mean_in_blocks(fields[[*PROFILES, *FLUXES]], ["time"])
        arrays = {}
        for name in (*PROFILES, *FLUXES):
            values = mean[name].transpose("latitude", "longitude", ...).values
            if zonal:
                values = np.broadcast_to(values.mean(axis=1, keepdims=True), values.shape)
            arrays[name] = jnp.asarray(values.reshape(-1, *values.shape[2:]), jnp.float32)
        return cls(ColumnTendency(*(arrays[name] for name in PROFILES)), ColumnFluxes(*(arrays[name] for name in FLUXES)))

    def init(self, state: ColumnState, forcing: ColumnForcing, key: PRNGKeyArray) -> tuple[()]:
        """Nothing to remember."""
        return ()

    def __call__(
        self, state: ColumnState, forcing: ColumnForcing, carry: tuple[()], key: PRNGKeyArray
    ) -> tuple[ColumnTendency, ColumnFluxes, tuple[()]]:
        """The means; only `state.specific_humidity` is looked at."""
        driest = -DRYING_SHARE / forcing.time_step * jnp.maximum(state.specific_humidity, 0.0)
        moistening = jnp.maximum(self.tendency.specific_humidity, driest)
        return ColumnTendency(self.tendency.temperature, moistening), self.fluxes, carry
