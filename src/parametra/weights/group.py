"""Weights with a symmetry among blocks of channels, applied by their butterfly and never expanded."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact, PRNGKeyArray

from parametra.weights.between import BetweenButterflies, complex_product
from parametra.weights.butterflies import AbstractTransform, check_divisible
from parametra.weights.dense import Dense
from parametra.weights.initialisers import glorot_uniform
from parametra.weights.plan import Plan, dense_plan
from parametra.weights.weight import AbstractWeight


class GroupWeight(BetweenButterflies[AbstractWeight], AbstractWeight):
    """W = S diag(P_0, ..., P_{k-1}) A: 1/k of the numbers and of the multiplications, full rank.

    The blocks may be weights of any kind: packed symmetric ones make W symmetric too, spectral ones give it known singular
    values.

    Attributes:
        blocks: k weights of shape (outputs/k, inputs/k).
        transform: A and S: `Walsh(k)`, `Reversal()` or `Fourier(k)`.
    """

    @classmethod
    def from_dense(
        cls,
        matrix: Float[Array, "outputs inputs"],
        transform: AbstractTransform,
        block: Callable[[Array], AbstractWeight] = Dense.from_dense,
    ) -> "GroupWeight":
        """The nearest matrix with the symmetry, its blocks made by `block`; UsageError if the channels do not divide."""
        return cls(tuple(block(part) for part in transform.project(matrix)), transform)

    @classmethod
    def init(
        cls,
        key: PRNGKeyArray,
        outputs: int,
        inputs: int,
        transform: AbstractTransform,
        block: Callable[[Array], AbstractWeight] = Dense.from_dense,
        initialiser: Callable[..., Float[Array, "_ _"]] = glorot_uniform,
    ) -> "GroupWeight":
        """Random blocks; the entries of W have the variance that `initialiser(key, outputs, inputs)` gives a free matrix."""
        check_divisible((outputs, inputs), transform.order)
        matrix = initialiser(key, outputs, inputs)  # its mean over the group has 1/k of the variance
        return cls.from_dense(matrix * jnp.asarray(transform.order**0.5, matrix.dtype), transform, block)

    def unwrap(self) -> Float[Array, "outputs inputs"]:
        """The dense matrix: sums of blocks, no product."""
        # paramax unwraps from the inside out: its blocks are arrays by the time it comes here.
        return self.transform.expand([b.unwrap() if isinstance(b, AbstractWeight) else b for b in self.blocks])

    def apply(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Butterfly, k small products, butterfly."""
        return self.between(x, self._product)

    def apart(self, x: Float[Array, "*batch inputs"]) -> list[Float[Array, "*batch chunk"]]:
        """Along an axis of their own: of a concatenation within the last axis XLA makes a slow loop on the way back (CPU)."""
        order = self.transform.order
        cut = jnp.split(x.reshape(*x.shape[:-1], order, x.shape[-1] // order), order, axis=-2)
        return [chunk.squeeze(-2) for chunk in cut]

    def together(self, acted: list[Inexact[Array, "*batch chunk"]]) -> Float[Array, "*batch outputs"]:
        """The second butterfly behind a barrier, lest the products and their gradients be made again for each of its sums."""
        whole = jnp.stack(self.transform.synthesise(jax.lax.optimization_barrier(acted)), axis=-2)
        return whole.reshape(*whole.shape[:-2], whole.shape[-2] * whole.shape[-1])

    def plan(self, rows: int = 1) -> Plan:
        """K products of blocks (three for a complex pair of dense ones), and the additions of the butterflies."""
        flops = rows * self.transform.additions * sum(self.shape)
        for own in self.transform.frequencies:
            products = sum(self.blocks[index].plan(rows if len(own) == 1 else 2 * rows).flops for index in own)
            if len(own) == 2 and self._gauss(own):
                products = 3 * self.blocks[own[0]].plan(rows).flops
            flops += products
        return dense_plan(self, self.shape, rows, way=f"butterfly of {self.transform.order}", flops=flops)

    def singular_values(self) -> Float[Array, " rank"]:
        """The union of those of the blocks; a dense block is decomposed, at a cost of (n/k)³ each: k² less than for W."""
        known = [own for own in self.transform.frequencies if not self._decomposed(own)]
        values = [self.blocks[own[0]].singular_values() for own in known]
        for length in (1, 2):
            # One call for all blocks of a kind: separate ones would compete for the threads of LAPACK.
            dense = [self._matrix(own) for own in self.transform.frequencies if own not in known and len(own) == length]
            if dense:
                found = jnp.linalg.svd(jnp.stack(dense), compute_uv=False).ravel()
                values.append(jnp.tile(found, length))  # a complex block stands for two conjugate frequencies
        return jnp.sort(self.transform.gain * jnp.concatenate(values), descending=True)

    def log_abs_det(self) -> Float[Array, ""]:
        """The sum over the blocks; UsageError if W is not square."""
        self._need_square("log |det W|")
        total = jnp.sum(jnp.stack([self._log_abs_det(own) for own in self.transform.frequencies]))
        return self.shape[0] * jnp.log(jnp.asarray(self.transform.gain, total.dtype)) + total

    def inverse_apply(self, y: Float[Array, "*batch outputs"]) -> Float[Array, "*batch inputs"]:
        """The same butterflies around the inverses of the blocks; UsageError if W is not square."""
        self._need_square("inverse")
        return self.between(y, self._solve) / self.transform.gain**2

    def _product(self, own: tuple[int, ...], chunk: Inexact[Array, "*batch chunk"]) -> Inexact[Array, "*batch rows"]:
        if len(own) == 1:
            return self.blocks[own[0]].apply(chunk)
        real, imag = self.blocks[own[0]], self.blocks[own[1]]
        together = None
        if isinstance(real, Dense) and isinstance(imag, Dense):
            together = Dense(real.matrix + imag.matrix)
        return complex_product(real.apply, imag.apply, None if together is None else together.apply, chunk)

    def _gauss(self, own: tuple[int, ...]) -> bool:
        return all(isinstance(self.blocks[index], Dense) for index in own)

    def _matrix(self, own: tuple[int, ...]) -> Inexact[Array, "rows columns"]:
        parts = [self.blocks[index].unwrap() for index in own]
        return parts[0] if len(parts) == 1 else parts[0] + 1j * parts[1]

    def _decomposed(self, own: tuple[int, ...]) -> bool:
        return len(own) == 2 or isinstance(self.blocks[own[0]], Dense)

    def _log_abs_det(self, own: tuple[int, ...]) -> Float[Array, ""]:
        if not self._decomposed(own):
            return self.blocks[own[0]].log_abs_det()
        return len(own) * jnp.linalg.slogdet(self._matrix(own)).logabsdet

    def _solve(self, own: tuple[int, ...], chunk: Inexact[Array, "*batch rows"]) -> Inexact[Array, "*batch columns"]:
        if not self._decomposed(own):
            return self.blocks[own[0]].inverse_apply(chunk)
        return jnp.linalg.solve(self._matrix(own), chunk.reshape(-1, chunk.shape[-1]).T).T.reshape(chunk.shape)

    def _need_square(self, what: str) -> None:
        if self.shape[0] != self.shape[1]:
            raise self.no_closed_form(what, "a square weight")
