"""Many vectors in blocks of one size, so that one compilation serves them and memory stays small."""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

BLOCK = 65536


def blocks(vectors: Float[np.ndarray, "sample inputs"]) -> Iterator[tuple[slice, Array]]:
    """(rows, block): the last block is filled up with its last row, so take as many rows as the slice is long."""
    for start in range(0, len(vectors), BLOCK):
        part = vectors[start : start + BLOCK]
        padded = np.pad(part, ((0, min(BLOCK, len(vectors)) - len(part)), (0, 0)), mode="edge")
        yield slice(start, start + len(part)), jnp.asarray(padded)
