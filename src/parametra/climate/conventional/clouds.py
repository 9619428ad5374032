"""Clouds for radiation: a cover from relative humidity and from convective rain, filled with a share of saturation humidity.

    cover = 1 - sqrt((1 - H) / (1 - Hc)) where H > Hc,    in convecting layers at least  min(a ln(1 + P / P0), 0.8) / layers

The condensate is diagnosed, neither carried nor taken from the vapour: it is what radiation sees. Each layer is uniform for
radiation, with the mean of its cover.

Source: cover after Sundqvist, Berge & Kristjansson (1989, Mon. Wea. Rev. 117, 1641), convective cover in the spirit of Slingo
(1987, QJRMS 113, 899). The content, a fixed share of saturation, is ours.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from parametra.climate.crm.microphysics import liquid_share, saturation
from parametra.core.constants import SECONDS_PER_DAY

Profile = Float[Array, "column level"]
Number = Float[Array, " column"]
CONVECTIVE_SLOPE = 0.12  # cover of a convecting column for each e-fold of its rain
DRIZZLE = 1.0 / SECONDS_PER_DAY  # kg m-2 s-1, P0: a millimetre a day
MOST = 0.8


def diagnose_clouds(
    temperature: Profile, humidity: Profile, pressure: Profile, rain: Number, layers: Bool[Array, "column level"], *,
    critical: float, content: float,
) -> tuple[Profile, Profile]:  # fmt: skip
    """Liquid water and ice [kg kg-1], means of the layers.

    Args:
        temperature: K.
        humidity: specific humidity.
        pressure: Pa.
        rain: convective precipitation [kg m-2 s-1].
        layers: where it convects.
        critical: Hc, relative humidity above which there is cloud [1].
        content: condensate of a cloud over saturation humidity [1].
    """
    saturated, _ = saturation(temperature, pressure)
    relative = jnp.clip(humidity / saturated, 0.0, 1.0)
    layered = 1.0 - jnp.sqrt(jnp.minimum((1.0 - relative) / (1.0 - critical), 1.0))
    deep = jnp.minimum(CONVECTIVE_SLOPE * jnp.log1p(rain / DRIZZLE), MOST)[:, None]
    convective = jnp.where(layers, deep / jnp.maximum(jnp.sum(layers, axis=1, keepdims=True), 1), 0.0)
    cloud = jnp.maximum(layered, convective) * content * saturated
    liquid = cloud * liquid_share(temperature)
    return liquid, cloud - liquid
