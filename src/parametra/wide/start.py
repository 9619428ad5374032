"""What enters the first layer: K = x1 · x2 / channels, Theta = 0."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from parametra.wide.state import State, rolled


def start(x1: Float[Array, "n1 ..."], x2: Float[Array, "n2 ..."] | None, paired: bool = False) -> State:
    """Every input with every other (each with itself where `paired`); of pixels p = p' where they are images."""
    other = x1 if x2 is None else x2
    channels, image = x1.shape[-1], x1.ndim == 4
    first, second = (jnp.sum(x * x, -1) / channels for x in (x1, other))
    if paired:
        nngp = jnp.sum(x1 * other, -1) / channels
    elif image:
        nngp = jnp.einsum("ihwc,jhwc->ijhw", x1, other, precision="highest") / channels
    else:
        nngp = jnp.matmul(x1, other.T, precision="highest") / channels
    if x2 is None and not paired:  # the product's own diagonal may differ in the last bit
        eye = jnp.eye(x1.shape[0], dtype=bool)
        nngp = jnp.where(eye[..., None, None] if image else eye, jnp.expand_dims(first, 1), nngp)
    return State(
        nngp, jnp.zeros_like(nngp), first, second, channels=channels, same=x2 is None, paired=paired,
        pixels="equal" if image else "none",
    )  # fmt: skip


def start_pair(x1: Float[Array, "h w c"], x2: Float[Array, "h w c"] | None, offsets: Int[Array, " n"] | None = None) -> State:
    """One image with another (with itself where None), over all pairs of pixels or over those whose rows are `offsets` apart."""
    other = x1 if x2 is None else x2
    channels = x1.shape[-1]
    first, second = (jnp.sum(x * x, -1)[None] / channels for x in (x1, other))
    if offsets is None:
        nngp = jnp.einsum("hwc,HWc->hHwW", x1, other, precision="highest")[None] / channels
    else:
        nngp = jnp.einsum("hwc,nhWc->nhwW", x1, rolled(other, offsets), precision="highest") / channels
    state = State(
        nngp, jnp.zeros_like(nngp), first, second, offsets=offsets, channels=channels, same=x2 is None, paired=True,
        pixels="pairs" if offsets is None else "offsets",
    )  # fmt: skip
    return state.replace(nngp=jnp.where(state.diagonal, state.variances[0], nngp)) if x2 is None else state
