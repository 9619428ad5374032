r"""How an emulator answers a small change of its column, and how fast such a change can grow by that answer alone.

The response is $J = \partial(\dot T, \dot q)/\partial(T, q)$ with wind, pressure, sun and surface fluxes as they are. In the
energy of small moist disturbances (Ehrendorfer, Errico & Raeder 1999),

    E = 1/2 sum_k m_k (c_p / T_r T'_k^2 + L^2 / (c_p T_r) q'_k^2),    m_k the mass of a layer,

the symmetric part of $J$ bounds the growth of E whatever the disturbance, its spectral abscissa the growth in the end.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.emulator.emulator import Emulator
from parametra.climate.emulator.vectors import Inputs
from parametra.core.constants import HEAT_CAPACITY, LATENT_HEAT_CONDENSATION, SECONDS_PER_DAY

REFERENCE_TEMPERATURE = 270.0  # K


@eqx.filter_jit
def column_jacobians(emulator: Emulator, inputs: Inputs) -> Float[Array, "column outputs changes"]:
    """d(heating, moistening)/d(T, q) of each column, (column, 2n, 2n), SI: K and kg/kg in, K/s and 1/s out.

    With limits and conservation, as in a run: an input beyond the range of training changes nothing where inputs are clipped.
    """

    def answer(temperature: Array, humidity: Array) -> Array:
        said = emulator.outputs(eqx.tree_at(lambda x: (x.temperature, x.specific_humidity), inputs, (temperature, humidity)))
        return jnp.concatenate([said.heating, said.moistening], axis=1)

    here = inputs.temperature, inputs.specific_humidity

    def along(direction: Array) -> Array:
        change = jnp.split(jnp.broadcast_to(direction, (len(here[0]), direction.size)), 2, axis=1)
        return jax.jvp(answer, here, tuple(change))[1]  # columns do not see each other

    return jnp.moveaxis(jax.lax.map(along, jnp.eye(2 * emulator.levels, dtype=here[0].dtype)), 0, 2)


def energy_weights(sigma_half: tuple[float, ...]) -> Float[np.ndarray, " changes"]:
    """Root of each element's weight in E up to a common factor, (2n,): (T, q) times these has the energy as its square."""
    mass = np.diff(np.asarray(sigma_half, np.float64))
    warm, moist = HEAT_CAPACITY / REFERENCE_TEMPERATURE, LATENT_HEAT_CONDENSATION**2 / (HEAT_CAPACITY * REFERENCE_TEMPERATURE)
    return np.sqrt(np.concatenate([mass * warm, mass * moist]))


def energy_growth(
    jacobians: Float[np.ndarray | Array, "column outputs changes"], sigma_half: tuple[float, ...]
) -> tuple[Float[np.ndarray, " column"], Float[np.ndarray, " column"]]:
    """Fastest growth at once, and in the end, of a disturbance's amplitude by the response alone [1/day].

    Returns:
        largest eigenvalue of the symmetric part of J in the energy norm, and largest real part of an eigenvalue of J, (column,).
    """
    root = energy_weights(sigma_half)
    scaled = np.asarray(jacobians, np.float64) * root[:, None] / root
    at_once = np.linalg.eigvalsh((scaled + scaled.swapaxes(1, 2)) / 2.0)[:, -1]
    in_the_end = np.linalg.eigvals(scaled).real.max(axis=1)
    return at_once * SECONDS_PER_DAY, in_the_end * SECONDS_PER_DAY
