"""A wall that keeps XLA's CPU compiler from fusing one stage of a step into the next.

Without it the compiler recomputes advection inside diffusion inside the saturation adjustment: 3 to 4 times the arithmetic.
`lax.optimization_barrier` has no effect on CPU; a conditional whose predicate is known only at run time has.
"""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

T = TypeVar("T")


def fence(true: Bool[Array, ""] | None, stage: Callable[..., T], *operands: object) -> T:
    """`stage(*operands)` compiled on its own; `true` is a traced scalar that always holds, or None for no wall (GPU)."""
    if true is None:
        return stage(*operands)
    shapes = jax.eval_shape(stage, *operands)

    def zeros(*_: object) -> T:
        return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    return jax.lax.cond(true, stage, zeros, *operands)
