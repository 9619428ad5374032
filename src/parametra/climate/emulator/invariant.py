r"""What the network sees of a column: the columns as they are, or quantities whose distribution hardly changes with the climate.

"invariant" replaces, element by element and at unchanged length,

    T_k  ->  B_k = (h_n - h*_k) / (cp + Lc dqs/dT(T_k))    buoyancy [K] of air lifted from the lowest layer n
    q_k  ->  q_k / qs(T_k)                                  relative humidity, at sigma above 0.18
    LHF  ->  LHF / (Lc qs(T_n))                             evaporation over saturation humidity [kg m-2 s-1]

with h = cp T + g z + Lc q, h* its value at saturation; wind, pressure, insolation and sensible heat flux stay. B_k is by what a
parcel that does not mix is warmer than the layer, at the lowest layer minus its own distance from saturation. Under uniform
warming at constant relative humidity T and q leave the range that a network was trained on, these three hardly move.

Further up humidity stays as it is: saturation does not set it there, so q / qs is a thermometer more than a hygrometer, and
networks that saw it let vapour pile up in the stratosphere and lost the climate that they had been trained on.

Source: Beucler et al. (2024, Science Advances 10, eadj7250), climate-invariant machine learning. Ours differs in the plume, which
does not entrain, in the divisor of the latent heat flux (the near-surface saturation deficit of the original can vanish), and
in the layers near the top.
"""

from collections.abc import Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.crm.microphysics import saturation
from parametra.climate.emulator.blocks import blocks
from parametra.climate.emulator.sigma import middles
from parametra.climate.emulator.vectors import Inputs
from parametra.climate.thermodynamics import heights
from parametra.core.constants import GRAVITY, HEAT_CAPACITY, LATENT_HEAT_CONDENSATION
from parametra.core.errors import UsageError

SATURATION = "saturation over liquid above 0 C, ice below -20 C, linear between"
VIEWS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "plain": MappingProxyType({}),
        "invariant": MappingProxyType(
            {
                "air_temperature": "(h_n - h*_k) / (cp + Lc dqs/dT), h = cp T + g z + Lc q, h* with q = qs(T), n the lowest",
                "specific_humidity": "clip(q / qs(T), 0, 2) at sigma >= 0.18, q above",
                "surface_upward_latent_heat_flux": "LHF / (Lc qs(T_n))",
                "qs": SATURATION + "; z hydrostatic with virtual temperature",
            }
        ),
    }
)
"""Kinds of view, and what each replaces; for the header of a file."""
TROPOPAUSE = 0.18  # sigma, of layer middles; 180 hPa also bounds the levels that are scored
MOST_HUMID = 2.0  # relative humidity; noise in the cold stratosphere would otherwise set the scale


def require_view(kind: str) -> None:
    """UsageError unless `kind` is known."""
    if kind not in VIEWS:
        raise UsageError(f"Unknown view of the inputs {kind!r}. Known: {', '.join(VIEWS)}.")


def below_tropopause(sigma_half: tuple[float, ...]) -> Float[np.ndarray, " level"]:
    """1 in the layers from `TROPOPAUSE` down, 0 above: a factor and no selection, since exported programs have no masks."""
    return (middles(sigma_half) >= TROPOPAUSE).astype(np.float32)


def view(kind: str, x: Float[Array, "column inputs"], sigma_half: tuple[float, ...]) -> Float[Array, "column inputs"]:
    """Input vectors (column, 3n + 4), SI, as the network sees them; humidity in `x` is not negative."""
    return invariant(x, sigma_half) if kind == "invariant" else x


def invariant(x: Float[Array, "column inputs"], sigma_half: tuple[float, ...]) -> Float[Array, "column inputs"]:
    """The climate-invariant view of input vectors, (column, 3n + 4)."""
    inputs, sigma, below = Inputs.from_vector(x), middles(sigma_half), below_tropopause(sigma_half)
    temperature, humidity = inputs.temperature, inputs.specific_humidity
    saturated, slope = saturation(temperature, inputs.surface_pressure[:, None] * sigma)
    dry = HEAT_CAPACITY * temperature + GRAVITY * heights(sigma_half, temperature, humidity)
    lowest = dry[:, -1:] + LATENT_HEAT_CONDENSATION * humidity[:, -1:]
    buoyancy = (lowest - dry - LATENT_HEAT_CONDENSATION * saturated) / (HEAT_CAPACITY + LATENT_HEAT_CONDENSATION * slope)
    scaled = Inputs(
        buoyancy,
        humidity * (1.0 - below) + jnp.clip(humidity / saturated, 0.0, MOST_HUMID) * below,
        inputs.eastward_wind,
        inputs.surface_pressure,
        inputs.insolation,
        inputs.sensible_heat_flux,
        inputs.latent_heat_flux / (LATENT_HEAT_CONDENSATION * saturated[:, -1]),
    )
    return scaled.vector()


_invariant = jax.jit(invariant, static_argnames="sigma_half")


def view_vectors(
    kind: str, inputs: Float[np.ndarray, "sample inputs"], sigma_half: tuple[float, ...]
) -> Float[np.ndarray, "sample inputs"]:
    """`view` of many vectors, in blocks; the plain view is the array itself."""
    require_view(kind)
    if kind == "plain":
        return inputs
    seen, sigma_half = np.empty_like(inputs), tuple(float(s) for s in sigma_half)
    for rows, block in blocks(inputs):
        seen[rows] = np.asarray(_invariant(block, sigma_half))[: rows.stop - rows.start]
    return seen
