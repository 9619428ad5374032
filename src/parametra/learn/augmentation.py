"""Random changes of images that keep their labels: mirror, and shifted crop."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray, Shaped


def flip(images: Shaped[Array, "n height width channels"], key: PRNGKeyArray) -> Shaped[Array, "n height width channels"]:
    """Each image mirrored left to right with probability one half."""
    mirrored = jax.random.bernoulli(key, 0.5, (len(images), 1, 1, 1))
    return jnp.where(mirrored, images[:, :, ::-1], images)


def pad_crop(
    images: Shaped[Array, "n height width channels"], key: PRNGKeyArray, margin: int = 4, mode: str = "reflect"
) -> Shaped[Array, "n height width channels"]:
    """Each image padded by `margin` pixels, mirrored at its edges or as `jnp.pad` names `mode`, and cut at a random place."""
    _, height, width, channels = images.shape
    padded = jnp.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode=mode)
    corners = jax.random.randint(key, (len(images), 2), 0, 2 * margin + 1)

    def cut(image: Array, corner: Array) -> Array:
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], 0), (height, width, channels))

    return jax.vmap(cut)(padded, corners)
