"""Physical limits of what a network may say, applied to its outputs before anything else sees them.

The cold trap: near the tropopause the cloud-resolving model takes up a little vapour every day, too little beside that of other
layers to be learnt, and nothing else does. Without it vapour that the wind brings there stays: a year of `climate/mini` had
seven times the truth's, which itself is near saturation.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.crm.microphysics import saturation
from parametra.climate.emulator.sigma import middles
from parametra.climate.emulator.vectors import Inputs, Outputs

DRYING_SHARE = 0.9  # of the vapour in a cell that one step may take


class Limits(eqx.Module):
    """Limits that hold for any network.

    - no moistening in the top `dry_levels` layers, where its variance is too small to be learnt (5 of 20: above sigma 0.18), but
      what exceeds saturation at the layer's temperature leaves within the step: the cold trap;
    - dq >= -0.9 q / time step below them;
    - precipitation >= 0;
    - 0 <= net short-wave at the surface <= at the top <= insolation, so both vanish at night.

    Attributes:
        dry_levels: number of top layers without moistening, all that dries them being the cold trap.
        cold_trap: whether there is one; networks of before it came are files without it.
    """

    dry_levels: int = eqx.field(static=True, default=5)
    cold_trap: bool = eqx.field(static=True, default=True)

    def moist(self, levels: int) -> Float[np.ndarray, " level"]:
        """1 where moistening is allowed, 0 in the dry layers, float32."""
        return (np.arange(levels) >= self.dry_levels).astype(np.float32)

    def trapped(self, inputs: Inputs, sigma_half: tuple[float, ...], time_step: float) -> Float[Array, "column level"]:
        """Moistening by the cold trap [s-1], zero or negative, and zero below the dry layers."""
        columns, levels = inputs.temperature.shape
        n = min(self.dry_levels, levels) if self.cold_trap else 0
        if not n:
            return jnp.zeros_like(inputs.temperature)
        pressure = inputs.surface_pressure[:, None] * middles(sigma_half)[:n]
        excess = jnp.maximum(inputs.specific_humidity[:, :n] - saturation(inputs.temperature[:, :n], pressure)[0], 0.0)
        return jnp.concatenate([excess * (-1.0 / time_step), jnp.zeros((columns, levels - n), excess.dtype)], axis=1)

    def driest(self, inputs: Inputs, time_step: float) -> Float[Array, "column level"]:
        """The most negative moistening that a network may say [s-1], none in the dry layers; `time_step` [s]."""
        share = (-DRYING_SHARE / time_step * self.moist(inputs.temperature.shape[1])).astype(np.float32)
        return jnp.maximum(inputs.specific_humidity, 0.0) * share

    def __call__(self, inputs: Inputs, outputs: Outputs, sigma_half: tuple[float, ...], time_step: float) -> Outputs:
        """The outputs within their limits."""
        moist = self.moist(outputs.moistening.shape[1])
        said = jnp.maximum(outputs.moistening * moist, self.driest(inputs, time_step))
        top = jnp.clip(outputs.net_shortwave_top, 0.0, inputs.insolation)
        return Outputs(
            heating=outputs.heating,
            moistening=said + self.trapped(inputs, sigma_half, time_step),
            net_shortwave_top=top,
            net_shortwave_surface=jnp.clip(outputs.net_shortwave_surface, 0.0, top),
            net_longwave_top=outputs.net_longwave_top,
            net_longwave_surface=outputs.net_longwave_surface,
            precipitation=jnp.maximum(outputs.precipitation, 0.0),
        )
