"""Residual networks of bottleneck blocks, for images of ImageNet's kind.

Source: He, Zhang, Ren & Sun (2016, arXiv 1512.03385), table 1; the stride stands at the 3 x 3 convolution, as in every current
implementation. Normalisation is by groups instead of by batch, with the same number of free numbers.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.networks.conv import Conv
from parametra.networks.linear import Linear
from parametra.networks.norm import GroupNorm
from parametra.weights import AbstractKernel

EXPANSION = 4
RESNET_50, RESNET_101, RESNET_152 = (3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3)


class Bottleneck(eqx.Module):
    """x + 1 x 1, 3 x 3, 1 x 1, each with normalisation; a 1 x 1 convolution on the shortcut where the shape changes.

    Attributes:
        convs: the three convolutions; the middle one is square, and may be symmetric.
        norms: their normalisations.
        shortcut: (convolution, normalisation), or None where the input can be added as it is.
    """

    convs: tuple[Conv, Conv, Conv]
    norms: tuple[GroupNorm, GroupNorm, GroupNorm]
    shortcut: tuple[Conv, GroupNorm] | None

    @classmethod
    def init(cls, key: PRNGKeyArray, inputs: int, width: int, strides: int) -> "Bottleneck":
        """A block from `inputs` channels through `width` to 4 · `width`."""
        keys = jax.random.split(key, 4)
        outputs = EXPANSION * width
        convs = (
            Conv.init(keys[0], width, inputs, (1, 1)),
            Conv.init(keys[1], width, width, (3, 3), strides),
            Conv.init(keys[2], outputs, width, (1, 1)),
        )
        norms = (GroupNorm.init(width), GroupNorm.init(width), GroupNorm.init(outputs))
        if strides == 1 and inputs == outputs:
            return cls(convs, norms, None)
        return cls(convs, norms, (Conv.init(keys[3], outputs, inputs, (1, 1), strides), GroupNorm.init(outputs)))

    def __call__(self, x: Float[Array, "batch height width inputs"]) -> Float[Array, "batch height_out width_out outputs"]:
        """The block."""
        y = x
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            y = norm(conv(y))
            y = jax.nn.relu(y) if index < 2 else y
        kept = x if self.shortcut is None else self.shortcut[1](self.shortcut[0](x))
        return jax.nn.relu(kept + y)


class ResNet(eqx.Module):
    """Stem, four stages of bottlenecks, mean over space, classifier.

    Attributes:
        stem: 7 x 7 convolution, stride 2.
        norm: its normalisation.
        stages: blocks of each stage.
        head: classifier with bias.
    """

    stem: Conv
    norm: GroupNorm
    stages: tuple[tuple[Bottleneck, ...], ...]
    head: Linear

    @classmethod
    def init(
        cls, key: PRNGKeyArray, depths: Sequence[int] = RESNET_50, classes: int = 1000, channels: int = 3, width: int = 64
    ) -> "ResNet":
        """`depths` blocks in each stage (RESNET_50, RESNET_101, RESNET_152); `width` channels in the stem.

        Raises:
            UsageError: no stage, or a stage without blocks.
        """
        if not depths or min(depths) < 1:
            raise UsageError(f"Every stage needs at least one block, got {tuple(depths)}. Remedy: RESNET_50 = {RESNET_50}.")
        key, stem, head = jax.random.split(key, 3)
        stages, inputs = [], width
        for stage, depth in enumerate(depths):
            blocks = []
            for block in range(depth):
                key, own = jax.random.split(key)
                strides = 2 if stage > 0 and block == 0 else 1
                blocks.append(Bottleneck.init(own, inputs, width * 2**stage, strides))
                inputs = EXPANSION * width * 2**stage
            stages.append(tuple(blocks))
        return cls(
            Conv.init(stem, width, channels, (7, 7), 2), GroupNorm.init(width), tuple(stages), Linear.init(head, classes, inputs)
        )

    def __call__(self, x: Float[Array, "batch height width channels"]) -> Float[Array, "batch classes"]:
        """Scores of the classes, before a softmax."""
        y = jax.nn.relu(self.norm(self.stem(x)))
        y = jax.lax.reduce_window(y, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
        for stage in self.stages:
            for block in stage:
                y = block(y)
        return self.head(y.mean((1, 2)))

    def middle_kernels(self) -> list[AbstractKernel]:
        """The 3 x 3 kernel of every bottleneck, for `parametrize`: the convolutions that Hu et al. (2018) make symmetric."""
        return [block.convs[1].weight for stage in self.stages for block in stage]
