"""Weights with tied rows and columns: they save numbers and multiplications by giving up rank, and say so."""

import functools
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.weights.checks import check_axes
from parametra.weights.dense import Dense
from parametra.weights.plan import Plan, dense_plan
from parametra.weights.symmetric import check_square
from parametra.weights.weight import AbstractWeight


class Tied(AbstractWeight):
    """W = U Q F: sums of channels (F), a product of fewer (Q), copies (U). The same around a convolution with taps Q.

    Attributes:
        block: Q.
    """

    block: eqx.AbstractVar[AbstractWeight]

    @property
    @abstractmethod
    def additions(self) -> int:
        """Of one fold."""

    @abstractmethod
    def fold(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch fewer"]:
        """F x, along the last axis."""

    @abstractmethod
    def unfold(self, y: Float[Array, "*batch fewer"]) -> Float[Array, "*batch outputs"]:
        """U y, along the last axis."""

    def apply(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Fold, one product with the block, unfold."""
        return self.unfold(self.block.apply(self.fold(x)))

    @property
    def structured(self) -> bool:
        """Always."""
        return True

    def resolved(self) -> "Tied":
        """The same with its block resolved."""
        return eqx.tree_at(lambda weight: weight.block, self, self.block.resolved())

    def plan(self, rows: int = 1) -> Plan:
        """One product with the block and the additions before it."""
        flops = self.block.plan(rows).flops + rows * self.additions
        return dense_plan(self, self.shape, rows, way="fold, product with the block, unfold", flops=flops)


class Mirrored(Tied):
    """W = E Q Eᵀ, E = [I; J]: [[Q, Q J], [J Q, J Q J]], a quarter of the multiplications, rank n/2.

    Source: Hu, Zagoruyko & Komodakis (2018): with Q free "block4", with Q = Qᵀ "eighth". J is the reversal of n/2 channels.

    Attributes:
        block: Q, of size n/2.
    """

    block: AbstractWeight

    @classmethod
    def from_dense(
        cls, matrix: Float[Array, "rows columns"], block: Callable[[Array], AbstractWeight] = Dense.from_dense
    ) -> "Mirrored":
        """The nearest matrix with the ties; UsageError unless square of even size."""
        size = check_square(tuple(matrix.shape), "mirrored")
        if size % 2:
            raise UsageError(f"A mirrored weight needs an even number of channels, got {size}. Remedy: leave this layer out.")
        half = size // 2
        rows = (matrix[:half] + matrix[half:][::-1]) / 2
        return cls(block((rows[:, :half] + rows[:, half:][:, ::-1]) / 2))

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""
        rows, columns = self.block.shape
        return 2 * rows, 2 * columns

    def unwrap(self) -> Float[Array, "outputs inputs"]:
        """The dense matrix."""
        quarter = self.block.unwrap() if isinstance(self.block, AbstractWeight) else self.block
        top = jnp.concatenate([quarter, quarter[:, ::-1]], 1)
        return jnp.concatenate([top, top[::-1]], 0)

    @property
    def additions(self) -> int:
        """One for each channel of the block."""
        return self.block.shape[1]

    def fold(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch fewer"]:
        """The first half and the second one from behind."""
        first, second = jnp.split(x, 2, axis=-1)
        return first + second[..., ::-1]

    def unfold(self, y: Float[Array, "*batch fewer"]) -> Float[Array, "*batch outputs"]:
        """And again from behind."""
        return jnp.concatenate([y, y[..., ::-1]], -1)


class Chunked(Tied):
    """A block repeated `outputs_times` along the outputs and `inputs_times` along the inputs: rank of the block.

    Source: Hu, Zagoruyko & Komodakis (2018), "chunk".

    Attributes:
        block: the weight that is repeated.
        outputs_times: repetitions of the outputs.
        inputs_times: repetitions of the inputs, whose chunks are added before the product.
    """

    block: AbstractWeight
    outputs_times: int = eqx.field(static=True)
    inputs_times: int = eqx.field(static=True)

    @classmethod
    def from_dense(
        cls,
        matrix: Float[Array, "rows columns"],
        outputs_times: int,
        inputs_times: int,
        block: Callable[[Array], Any] = Dense.from_dense,
    ) -> "Chunked":
        """The mean over the repetitions; UsageError if the channels do not divide."""
        check_axes(matrix, 2, "A chunked weight")
        rows, columns = matrix.shape
        if min(outputs_times, inputs_times) < 1 or rows % outputs_times or columns % inputs_times:
            raise UsageError(
                f"A matrix {rows} x {columns} does not fall into {outputs_times} x {inputs_times} equal blocks. Likely cause: "
                "channels that are not a multiple. Remedy: repetitions that divide them."
            )
        grid = matrix.reshape(outputs_times, rows // outputs_times, inputs_times, columns // inputs_times)
        return cls(block(grid.mean((0, 2))), outputs_times, inputs_times)

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""
        rows, columns = self.block.shape
        return self.outputs_times * rows, self.inputs_times * columns

    def unwrap(self) -> Float[Array, "outputs inputs"]:
        """The dense matrix."""
        block = self.block.unwrap() if isinstance(self.block, AbstractWeight) else self.block
        return jnp.tile(block, (self.outputs_times, self.inputs_times))

    @property
    def additions(self) -> int:
        """All chunks but one."""
        return (self.inputs_times - 1) * self.block.shape[1]

    def fold(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch fewer"]:
        """The sum of the chunks."""
        return functools.reduce(jnp.add, jnp.split(x, self.inputs_times, axis=-1))

    def unfold(self, y: Float[Array, "*batch fewer"]) -> Float[Array, "*batch outputs"]:
        """Copies side by side."""
        return jnp.tile(y, (*[1] * (y.ndim - 1), self.outputs_times))
