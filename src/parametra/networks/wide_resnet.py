"""Wide residual networks for small images.

Source: Zagoruyko & Komodakis (2016, arXiv 1605.07146): depth 6 n + 4, three groups of n blocks of 16, 32, 64 times k channels,
normalisation and ReLU before each convolution. The bottleneck variant is that of Hu, Zagoruyko & Komodakis (2018), a quarter of
the channels in the middle. Normalisation is by groups instead of by batch, with the same number of free numbers.
"""

from typing import Literal

import equinox as eqx
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.networks.conv import Conv
from parametra.networks.linear import Linear
from parametra.networks.norm import GroupNorm
from parametra.weights import AbstractKernel

NARROWING = 4


class PreActivation(eqx.Module):
    """Normalisation, ReLU, convolution, as often as there are convolutions, added to the input.

    Attributes:
        norms: one before each convolution.
        convs: two 3 x 3 ones, or 1 x 1, 3 x 3, 1 x 1.
        shortcut: 1 x 1 convolution of the activated input where the shape changes, else None.
    """

    norms: tuple[GroupNorm, ...]
    convs: tuple[Conv, ...]
    shortcut: Conv | None

    @classmethod
    def init(cls, key: PRNGKeyArray, inputs: int, outputs: int, strides: int, bottleneck: bool) -> "PreActivation":
        """A block from `inputs` to `outputs` channels."""
        keys = jax.random.split(key, 4)
        if bottleneck:
            inner = outputs // NARROWING
            sizes = [(inner, inputs, 1, 1), (inner, inner, 3, strides), (outputs, inner, 1, 1)]
        else:
            sizes = [(outputs, inputs, 3, strides), (outputs, outputs, 3, 1)]
        pairs = zip(keys, sizes, strict=False)
        convs = tuple(Conv.init(own, rows, columns, (side, side), step) for own, (rows, columns, side, step) in pairs)
        norms = tuple(GroupNorm.init(columns, 16) for _, columns, _, _ in sizes)
        changes = strides != 1 or inputs != outputs
        return cls(norms, convs, Conv.init(keys[3], outputs, inputs, (1, 1), strides) if changes else None)

    def __call__(self, x: Float[Array, "batch height width inputs"]) -> Float[Array, "batch height_out width_out outputs"]:
        """The block."""
        activated = jax.nn.relu(self.norms[0](x))
        y = self.convs[0](activated)
        for norm, conv in zip(self.norms[1:], self.convs[1:], strict=True):
            y = conv(jax.nn.relu(norm(y)))
        return y + (x if self.shortcut is None else self.shortcut(activated))


class WideResNet(eqx.Module):
    """Stem, three groups of blocks, normalisation, mean over space, classifier.

    Attributes:
        stem: 3 x 3 convolution to 16 channels.
        groups: blocks of each group.
        norm: after the last block.
        head: classifier with bias.
    """

    stem: Conv
    groups: tuple[tuple[PreActivation, ...], ...]
    norm: GroupNorm
    head: Linear

    @classmethod
    def init(
        cls,
        key: PRNGKeyArray,
        depth: int,
        factor: int,
        classes: int = 10,
        channels: int = 3,
        block: Literal["basic", "bottleneck"] = "bottleneck",
        base: int = 16,
    ) -> "WideResNet":
        """WRN-`depth`-`factor`; another `base` than 16 gives widths in between, `base` · `factor` channels in the first group.

        Raises:
            UsageError: a depth that is not 6 n + 4, a factor or a base below 1, or an unknown block.
        """
        if depth < 10 or (depth - 4) % 6 or factor < 1:
            raise UsageError(f"A wide residual network has 6 n + 4 layers and a factor of 1 or more, got {depth} and {factor}.")
        if base < 1 or (block == "bottleneck" and base * factor < NARROWING):
            raise UsageError(f"The first group needs a channel or more in the middle of each block, got a base of {base}.")
        if block not in ("basic", "bottleneck"):
            raise UsageError(f'Unknown block {block!r}. Known: "basic", "bottleneck".')
        key, stem, head = jax.random.split(key, 3)
        groups, inputs = [], 16
        for group in range(3):
            outputs, blocks = base * factor * 2**group, []
            for number in range((depth - 4) // 6):
                key, own = jax.random.split(key)
                strides = 2 if group > 0 and number == 0 else 1
                blocks.append(PreActivation.init(own, inputs, outputs, strides, block == "bottleneck"))
                inputs = outputs
            groups.append(tuple(blocks))
        return cls(Conv.init(stem, 16, channels), tuple(groups), GroupNorm.init(inputs, 16), Linear.init(head, classes, inputs))

    def __call__(self, x: Float[Array, "batch height width channels"]) -> Float[Array, "batch classes"]:
        """Scores of the classes, before a softmax."""
        y = self.stem(x)
        for group in self.groups:
            for block in group:
                y = block(y)
        return self.head(jax.nn.relu(self.norm(y)).mean((1, 2)))

    def block_kernels(self) -> list[AbstractKernel]:
        """Every 3 x 3 kernel of the blocks, for schemes that need no square."""
        kernels = [conv.weight for group in self.groups for block in group for conv in block.convs]
        return [kernel for kernel in kernels if kernel.shape[2:] == (3, 3)]

    def square_kernels(self) -> list[AbstractKernel]:
        """Every square 3 x 3 kernel of the blocks, for `parametrize`; the first of a group that widens is not square."""
        return [kernel for kernel in self.block_kernels() if kernel.shape[0] == kernel.shape[1]]
