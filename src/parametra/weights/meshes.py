"""Whether a mesh of devices is in use, where rules of differentiation of our own give way to JAX's."""

import jax
from jaxtyping import Array


def divided(*arrays: Array) -> bool:
    """Whether types speak of a mesh (shard_map, explicit sharding); under a plain jit they do not, and the compiler divides.

    A rule of our own would have to say there how its answers are divided, and to add up the gradients of what devices share.
    """
    return any(not jax.typeof(array).sharding.mesh.empty for array in arrays)
