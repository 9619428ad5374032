"""Sets of sigma layers, as interfaces from 0 at the top to 1 at the surface."""

import numpy as np


def _interfaces(*thickness: float) -> tuple[float, ...]:
    return tuple(round(float(s), 9) for s in np.cumsum((0.0, *thickness)))


LEVELS_20 = _interfaces(0.03, 0.03, 0.035, 0.04, 0.045, 0.05, 0.055, *9 * (0.06,), 0.055, 0.05, 0.04, 0.03)
"""20 layers, the lowest 256 m thick, lid near 30 km: the small world's."""

LEVELS_30 = _interfaces(
    0.010, 0.012, 0.015, 0.019, 0.022, 0.025, 0.028, 0.031, 0.034, 0.037, *10 * (0.042,),
    0.041, 0.040, 0.039, 0.038, 0.036, 0.034, 0.032, 0.031, 0.030, 0.026,
)  # fmt: skip
"""30 layers, the number of the paper's model, with the top layer at 5 hPa."""


def layers(count: int) -> tuple[float, ...]:
    """`count` layers, thin towards both ends: thickness as sin(pi s)^(1/2) plus a floor. For tests and experiments."""
    centre = (np.arange(count) + 0.5) / count
    thickness = np.sqrt(np.sin(np.pi * centre)) + 0.2
    return (*_interfaces(*(thickness[:-1] / thickness.sum())), 1.0)
