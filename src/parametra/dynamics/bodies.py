"""Main networks up to their last layer: features phi(u) of a scaled state. The last layer, linear, belongs to the family.

Split there because least squares solves for a linear last layer exactly, whatever the features are.
"""

from abc import abstractmethod
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.dynamics.coefficients import evaluate_monomials, monomials
from parametra.networks import ACTIVATIONS, MLP


class AbstractBody(eqx.Module):
    """phi(u); any module with this method and `count` can stand in a family."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of features."""

    @abstractmethod
    def __call__(self, inputs: Float[Array, " inputs"]) -> Float[Array, " features"]:
        """The features at u."""


class Library(AbstractBody):
    """All monomials up to a degree; with most coefficients zero, the sparse polynomial library."""

    inputs: int = eqx.field(static=True)
    degree: int = eqx.field(static=True)

    @property
    def count(self) -> int:
        """Number of monomials."""
        return len(monomials(self.inputs, self.degree))

    def __call__(self, inputs: Float[Array, " inputs"]) -> Float[Array, " features"]:
        """The monomials."""
        return evaluate_monomials(inputs, monomials(self.inputs, self.degree))


class Network(AbstractBody):
    """The last hidden layer of a multilayer perceptron, after its nonlinearity, and a constant.

    Attributes:
        hidden: an MLP over any weight, up to the values before the last nonlinearity.
        tail: of features that grow like |v|^tail, in place of the activation, and not trained; None leaves the activation.
    """

    hidden: MLP
    tail: Float[Array, ""] | None = None

    @classmethod
    def init(
        cls, key: PRNGKeyArray, inputs: int, widths: Sequence[int], activation: str = "tanh", tail: float | None = None
    ) -> "Network":
        """Dense hidden layers of these widths, one at least."""
        if not widths:
            raise UsageError("A main network needs a hidden layer. Remedy: hidden = [8], or a polynomial of degree 1.")
        mlp = MLP.init(key, inputs, widths[-1], widths[:-1], activation)
        # Biases spread the bends of the first layer over the box [-1, 1] of the inputs: zero ones would all bend at its centre.
        bends = jnp.linspace(-1.0, 1.0, mlp.sizes[1]) * jnp.sum(jnp.abs(mlp.layers[0].weight.unwrap()), axis=1)
        mlp = eqx.tree_at(lambda m: m.layers[0].bias, mlp, bends)
        return cls(mlp, None if tail is None else jnp.asarray(tail, jnp.result_type(float)))

    @property
    def count(self) -> int:
        """Width of the last hidden layer, and the constant."""
        return self.hidden.sizes[-1] + 1

    def __call__(self, inputs: Float[Array, " inputs"]) -> Float[Array, " features"]:
        """The constant and the layer."""
        values = self.hidden(inputs)
        features = ACTIVATIONS[self.hidden.activation](values) if self.tail is None else power_tail(values, self.tail)
        return jnp.concatenate([jnp.ones((1,), inputs.dtype), features])


def power_tail(v: Float[Array, " features"], exponent: Float[Array, ""]) -> Float[Array, " features"]:
    """Like v near 0, like sign(v) |v|^exponent far away; odd, smooth, and monotone for exponents in [0, 1]."""
    return v * (1.0 + v * v) ** (0.5 * (exponent - 1.0))
