"""Host memory that JAX can use as it is."""

import math

import numpy as np
from jaxtyping import Float

ALIGNMENT = 64  # bytes; from other addresses, NumPy's own among them, `jax.device_put` copies on a CPU


def aligned(shape: tuple[int, ...]) -> Float[np.ndarray, "..."]:
    """A float32 array of unset values that `jax.device_put` on a CPU does not copy; leave it unchanged from then on."""
    size = math.prod(shape) * np.dtype(np.float32).itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(np.float32).reshape(shape)
