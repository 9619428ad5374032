"""Where the layers of a column are."""

import numpy as np
from jaxtyping import Float


def middles(sigma_half: tuple[float, ...]) -> Float[np.ndarray, " level"]:
    """Sigma in the middle of each layer, float32."""
    half = np.asarray(sigma_half)
    return (0.5 * (half[1:] + half[:-1])).astype(np.float32)
