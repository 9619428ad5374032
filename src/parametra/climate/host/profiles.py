"""Fixed vertical profiles of the host: a reference temperature, and rates that fall to nothing below the stratosphere."""

from collections.abc import Sequence

import numpy as np

from parametra.core.constants import GAS_CONSTANT, GRAVITY, SECONDS_PER_DAY

LAPSE_RATE = 6.5e-3  # K m-1


def reference_temperature(sigma: np.ndarray) -> np.ndarray:
    """Temperature [K] at `sigma`, any shape: 288 K at the ground, 6.5 K/km up to an isothermal stratosphere of 205 K."""
    return np.maximum(205.0, 288.0 * np.maximum(sigma, 1e-12) ** (LAPSE_RATE * GAS_CONSTANT / GRAVITY))


def rates(profile: Sequence[tuple[float, float]], sigma: np.ndarray) -> np.ndarray:
    """Rate [s-1] at `sigma` from pairs (sigma, days): linear between them, constant above, and gone one more interval below."""
    if not profile:
        return np.zeros_like(sigma)
    points, days = np.array(profile, np.float64).T
    last = points[-1] - points[-2] if points.size > 1 else points[-1]
    rate = np.interp(sigma, np.append(points, points[-1] + last), np.append(1.0 / days, 0.0))
    return rate / SECONDS_PER_DAY
