"""What a kernel rule receives and returns: the covariances of one layer's output over all the weights that came before it."""

import dataclasses
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

Pixels = Literal["none", "equal", "pairs", "offsets"]


class State(eqx.Module):
    r"""Covariance K (NNGP) and tangent kernel Theta (NTK) between inputs x1 and x2 after some layers.

    Sample axes are (n1, n2), every x1 with every x2, or (n,) where `paired`, x1[i] with x2[i]. After them come the pixel axes:
    none; (height, width) for equal pixels p = p'; (height, height', width, width') for all pairs of pixels; or (height, width,
    width') for the pairs whose rows are apart by `offsets`, one per sample: row' = (row + offset) mod height.

    Attributes:
        nngp, ntk: K and Theta.
        first, second: variances K(x1, x1), K(x2, x2) of each sample and pixel: (n, ) or (n, height, width).
        pooled: variances after each pooling layer, of x1 and of x2: they need all pairs of pixels of one image, so they are found
            once per image and handed to the recursion of each pair of images.
        offsets: rows from p to p', where `pixels` says so; the variances have one sample then, shared by all offsets.
        channels: number of features or channels of the finite network here.
        same: x2 is x1, so that the diagonal is known exactly from `first`.
        paired, pixels: the axes, as above.
        gaussian: the layer's output is Gaussian with zero mean, as an activation or layer norm needs it.
        fresh: the last affine layer belongs to the branch in hand, as a residual sum needs it.
    """

    nngp: Float[Array, "..."]
    ntk: Float[Array, "..."]
    first: Float[Array, "..."]
    second: Float[Array, "..."]
    pooled: tuple[tuple[Array, Array], ...] = ()
    offsets: Int[Array, " n"] | None = None
    channels: int = eqx.field(static=True, default=1)
    same: bool = eqx.field(static=True, default=False)
    paired: bool = eqx.field(static=True, default=False)
    pixels: Pixels = eqx.field(static=True, default="none")
    gaussian: bool = eqx.field(static=True, default=False)
    fresh: bool = eqx.field(static=True, default=False)

    def replace(self, **changes: Any) -> "State":
        """A copy with these attributes changed."""
        return dataclasses.replace(self, **changes)

    @property
    def variances(self) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """`first` and `second` with axes of size one, so that they broadcast against `nngp`."""
        return self._spread(self.first, 0), self._spread(self.second, 1)

    @property
    def diagonal(self) -> Bool[Array, "..."]:
        """True where x1 = x2 and p = p', to broadcast against `nngp`; only meaningful where `same`."""
        mask = jnp.ones((1,), bool) if self.paired else jnp.eye(self.first.shape[0], dtype=bool)
        if self.pixels == "none":
            return mask
        if self.pixels == "equal":
            return mask[..., None, None]
        rows, columns = jnp.eye(self.first.shape[-2], dtype=bool), jnp.eye(self.first.shape[-1], dtype=bool)
        if self.offsets is not None:
            return (self.offsets == 0)[:, None, None, None] & columns
        return mask[..., None, None, None, None] & rows[:, :, None, None] & columns

    def _spread(self, variance: Float[Array, "..."], side: int) -> Float[Array, "..."]:
        if self.offsets is not None:
            return variance[..., None] if side == 0 else rolled(variance[0], self.offsets)[..., None, :]
        if self.pixels == "pairs":
            variance = jnp.expand_dims(variance, (-3, -1) if side == 0 else (-4, -2))
        return variance if self.paired else jnp.expand_dims(variance, 1 - side)


def rolled(x: Float[Array, "height ..."], offsets: Int[Array, " n"]) -> Float[Array, "n height ..."]:
    """Row (row + offset) mod height of `x` at each row, for each offset in 0 ... height - 1."""
    twice = jnp.concatenate([x, x])
    return jax.vmap(lambda offset: jax.lax.dynamic_slice_in_dim(twice, offset, len(x)))(offsets)
