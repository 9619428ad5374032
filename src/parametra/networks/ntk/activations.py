"""Pointwise layers as objects, so that the wide limit of each can be looked up by its type."""

import math
from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.core.errors import UsageError


class AbstractActivation(eqx.Module):
    """A function applied to every number by itself; its parameters are fixed, none is trained."""

    @abstractmethod
    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The function, elementwise."""


class ABReLU(AbstractActivation):
    """`below` x for x < 0, `above` x for x >= 0: every positively homogeneous pointwise function."""

    below: float = eqx.field(static=True)
    above: float = eqx.field(static=True)

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The two slopes."""
        return jnp.where(x < 0, self.below * x, self.above * x)


class ReLU(ABReLU):
    """max(x, 0)."""

    def __init__(self) -> None:
        self.below, self.above = 0.0, 1.0


class LeakyReLU(ABReLU):
    """x above zero, `slope` x below."""

    def __init__(self, slope: float):
        self.below, self.above = float(slope), 1.0


class Abs(ABReLU):
    """The modulus of x."""

    def __init__(self) -> None:
        self.below, self.above = -1.0, 1.0


class Identity(ABReLU):
    """x itself."""

    def __init__(self) -> None:
        self.below, self.above = 1.0, 1.0


class Erf(AbstractActivation):
    """`amplitude` erf(`scale` x) + `offset`."""

    amplitude: float = eqx.field(static=True, default=1.0)
    scale: float = eqx.field(static=True, default=1.0)
    offset: float = eqx.field(static=True, default=0.0)

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The error function."""
        return self.amplitude * jax.scipy.special.erf(self.scale * x) + self.offset


class GELU(AbstractActivation):
    """x Phi(x), Phi the normal distribution function: the exact form, not the one with tanh."""

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The Gaussian error linear unit of Hendrycks & Gimpel (2016, arXiv 1606.08415)."""
        return jax.nn.gelu(x, approximate=False)


class Sine(AbstractActivation):
    """`amplitude` sin(`frequency` x + `phase`); with sqrt(2), sqrt(2 g) and pi/4 the features of the kernel exp(-g |x - y|²)."""

    amplitude: float = eqx.field(static=True, default=1.0)
    frequency: float = eqx.field(static=True, default=1.0)
    phase: float = eqx.field(static=True, default=0.0)

    @classmethod
    def features_of_gaussian_kernel(cls, gamma: float) -> "Sine":
        """The random features whose kernel is exp(-gamma (K(x,x) + K(y,y) - 2 K(x,y)))."""
        return cls(math.sqrt(2.0), math.sqrt(2.0 * gamma), math.pi / 4)

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The sine."""
        return self.amplitude * jnp.sin(self.frequency * x + self.phase)


class Gaussian(AbstractActivation):
    """exp(-x²)."""

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The bell."""
        return jnp.exp(-x * x)


class Exponential(AbstractActivation):
    """exp(x)."""

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The exponential."""
        return jnp.exp(x)


class Polynomial(AbstractActivation):
    """Sum of `coefficients`[i] x^i, lowest power first."""

    coefficients: tuple[float, ...] = eqx.field(static=True)

    def __check_init__(self):
        if len(self.coefficients) < 2:
            raise UsageError(f"A polynomial activation needs a slope, got coefficients {self.coefficients}. Remedy: two or more.")

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """Horner's rule."""
        result = jnp.full_like(x, self.coefficients[-1])
        for coefficient in self.coefficients[-2::-1]:
            result = result * x + coefficient
        return result


class Pointwise(AbstractActivation):
    """Any smooth function of one number, e.g. `Pointwise(jnp.tanh)`: its wide limit is summed up to a degree, with a known error.

    Attributes:
        function: elementwise, differentiable by jax.
        terms: Hermite polynomials in the sum.
    """

    function: Callable[[Array], Array] = eqx.field(static=True)
    terms: int = eqx.field(static=True, default=64)

    def __check_init__(self):
        if not 4 <= self.terms <= 200:
            raise UsageError(f"Hermite terms must be from 4 to 200, got {self.terms}.")

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The function."""
        return self.function(x)
