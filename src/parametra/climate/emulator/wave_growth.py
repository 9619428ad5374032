r"""A column's response coupled to gravity waves: does a step of the host and a step of the network amplify a wave?

Linear, hydrostatic, without rotation or mean wind, about a resting column in pressure, for a wave of horizontal wavenumber k
(the idea of Brenowitz, Beucler, Pritchard & Bretherton 2020; equations and discretisation here are our own):

    dD/dt = k^2 phi,    phi_k = R sum_(j>k) T_j dp_j/p_j + half of layer k's own,
    dT/dt = S omega + (J x)_T,    dq/dt = -omega dq/dp + (J x)_q,    S = kappa T/p - dT/dp,

omega the integral of -D from the top. The mean of D over the column is zero, which leaves out the external wave. Hydrostatic sum
and continuity are adjoint (Simmons & Burridge 1981), so that without J every wave is neutral where S > 0. As in the host, a step
is the wave's over dt, exactly, then the network's by Euler: x <- (1 + dt J) exp(dt A) x.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.linalg import expm

from parametra.climate.emulator.linear_response import energy_weights
from parametra.core.constants import EARTH_RADIUS, GAS_CONSTANT, HEAT_CAPACITY, KAPPA, SECONDS_PER_DAY
from parametra.core.errors import UsageError


def wave_growth(
    response: Float[np.ndarray, "outputs changes"],
    temperature: Float[np.ndarray, " level"],
    humidity: Float[np.ndarray, " level"],
    surface_pressure: float,
    sigma_half: tuple[float, ...],
    time_step: float,
    wavenumbers: Sequence[int] = (1, 2, 4, 8, 15),
) -> Float[np.ndarray, " wave"]:
    """Growth of the most unstable coupled mode at each wavenumber [1/day], 0 for a neutral one.

    Args:
        response: J of the column, or the mean of several, (2n, 2n), SI, as `column_jacobians` gives it.
        temperature: of the column [K], top first.
        humidity: of the column [kg/kg].
        surface_pressure: [Pa].
        sigma_half: (n + 1) interfaces of its layers.
        time_step: of host and network [s].
        wavenumbers: waves around the planet.

    Raises:
        UsageError: a response or profiles that do not fit the layers, or values that are not finite.
    """
    levels = len(sigma_half) - 1
    shapes = (response.shape, temperature.shape, humidity.shape)
    if shapes != ((2 * levels, 2 * levels), (levels,), (levels,)):
        raise UsageError(f"A response and profiles of shapes {shapes} do not fit {levels} layers.")
    if not all(np.all(np.isfinite(values)) for values in (response, temperature, humidity)):
        raise UsageError("The response or the profiles are not finite. Likely cause: columns of a run that failed.")
    # elements in roots of energy, of one size each: eigenvalues stay what they are and are found more exactly
    root = np.concatenate([np.sqrt(np.diff(np.asarray(sigma_half))), energy_weights(sigma_half) * np.sqrt(HEAT_CAPACITY)])
    physics = np.eye(3 * levels)
    physics[levels:, levels:] += time_step * response
    growth = []
    for wavenumber in wavenumbers:
        wave = column_waves(temperature, humidity, surface_pressure, sigma_half, wavenumber)
        step = expm(time_step * wave * root[:, None] / root)
        modes = np.linalg.eigvals((physics * root[:, None] / root) @ step)
        growth.append(np.log(np.abs(modes).max()) / time_step * SECONDS_PER_DAY)
    return np.array(growth)


def column_waves(
    temperature: Float[np.ndarray, " level"],
    humidity: Float[np.ndarray, " level"],
    surface_pressure: float,
    sigma_half: tuple[float, ...],
    wavenumber: int,
) -> Float[np.ndarray, "change change"]:
    """The matrix A of dx/dt = A x for x = (D / k, T, q) of a column without physics, (3n, 3n), 1/s; arguments as above."""
    half, levels, k = np.asarray(sigma_half, np.float64) * surface_pressure, len(sigma_half) - 1, wavenumber / EARTH_RADIUS
    thickness, pressure = np.diff(half), (half[1:] + half[:-1]) / 2.0
    descent = -(np.tril(np.ones((levels, levels)), -1) + 0.5 * np.eye(levels)) * thickness  # omega = descent @ D
    height = -GAS_CONSTANT * (descent.T * thickness / pressure) / thickness[:, None]  # phi = height @ T
    project = np.eye(levels) - np.outer(np.ones(levels), thickness / thickness.sum())
    stability = KAPPA * temperature / pressure - np.gradient(temperature, pressure)
    rates = np.concatenate([stability, -np.gradient(humidity, pressure)])
    wave = np.zeros((3 * levels, 3 * levels))
    wave[:levels, levels : 2 * levels] = k * (project @ height)
    wave[levels:, :levels] = k * rates[:, None] * (np.tile(descent, (2, 1)) @ project)
    return wave
