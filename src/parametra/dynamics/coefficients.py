r"""Parameterization networks: from a control to the coefficients c_k(mu) of theta(mu) = theta_0 + sum_k c_k(mu) theta_k.

All members fill the same formula, so a family, its fit and its analysis do not know which one they have. The `Hypernetwork` is
our reconstruction of the architecture of Tan (2019, arXiv 1902.03440), of which only the abstract is known to us: a network that
gives the weights of a return map. Saturating networks do not extrapolate; low-order dependence does, where it is true.
"""

import itertools
from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.networks import MLP

Control = Float[Array, " control"]
Coefficients = Float[Array, " coefficients"]


class AbstractCoefficients(eqx.Module):
    """c(m), of the control scaled to [-1, 1] over its training range.

    Attributes:
        joins: whether the control is appended to the inputs of the main network instead.
    """

    joins = False

    @property
    @abstractmethod
    def count(self) -> int:
        """K, the number of coefficients."""

    @abstractmethod
    def __call__(self, control: Control) -> Coefficients:
        """c_1 ... c_K."""


class Powers(AbstractCoefficients):
    """Monomials of the control up to `degree`, without the constant; degree 1 is the affine family."""

    controls: int = eqx.field(static=True)
    degree: int = eqx.field(static=True, default=1)

    @property
    def count(self) -> int:
        """Monomials of degree 1 to `degree`."""
        return len(monomials(self.controls, self.degree)) - 1

    def __call__(self, control: Control) -> Coefficients:
        """The monomials."""
        return evaluate_monomials(control, monomials(self.controls, self.degree))[1:]


class LowRank(AbstractCoefficients):
    """A few coefficients by a small network with linear outputs: theta(mu) moves in a learned subspace of that rank."""

    network: MLP

    @classmethod
    def init(cls, key: PRNGKeyArray, controls: int, rank: int) -> "LowRank":
        """A network with one hidden layer of 8."""
        return cls(MLP.init(key, controls, rank, (8,), "tanh"))

    @property
    def count(self) -> int:
        """The rank."""
        return self.network.sizes[-1]

    def __call__(self, control: Control) -> Coefficients:
        """The network's outputs."""
        return self.network(control)


class Hypernetwork(AbstractCoefficients):
    """A tanh network whose last layer, linear, is the theta_k: it gives every weight of the main network (Tan reconstruction)."""

    network: MLP

    @classmethod
    def init(cls, key: PRNGKeyArray, controls: int, width: int) -> "Hypernetwork":
        """One hidden layer of tanh units; its outputs are the coefficients."""
        return cls(MLP.init(key, controls, width, (), "tanh"))

    @property
    def count(self) -> int:
        """Width of the hidden layer."""
        return self.network.sizes[-1]

    def __call__(self, control: Control) -> Coefficients:
        """The hidden layer."""
        return jnp.tanh(self.network(control))


class Concatenation(AbstractCoefficients):
    """No theta_k at all: the control is one more input of the main network. The baseline."""

    joins = True

    @property
    def count(self) -> int:
        """None."""
        return 0

    def __call__(self, control: Control) -> Coefficients:
        """Nothing."""
        return jnp.zeros((0,), control.dtype)


class Constant(AbstractCoefficients):
    """No theta_k: one law at every control, which then enters through the scaling of the state alone, if at all."""

    @property
    def count(self) -> int:
        """None."""
        return 0

    def __call__(self, control: Control) -> Coefficients:
        """Nothing."""
        return jnp.zeros((0,), control.dtype)


def make_coefficients(name: str, order: int, controls: int, key: PRNGKeyArray) -> AbstractCoefficients:
    """The member by its name in a design; `order` is degree, rank or width."""
    if name == "affine":
        return Powers(controls)
    if name == "powers":
        return Powers(controls, order)
    if name == "low-rank":
        return LowRank.init(key, controls, order)
    if name == "hypernetwork":
        return Hypernetwork.init(key, controls, order)
    return Constant() if name == "constant" else Concatenation()


def monomials(variables: int, degree: int) -> tuple[tuple[int, ...], ...]:
    """Exponents of all monomials up to `degree`, the constant first, then by degree."""
    found = [e for e in itertools.product(range(degree + 1), repeat=variables) if sum(e) <= degree]
    return tuple(sorted(found, key=lambda e: (sum(e), tuple(-power for power in e))))


def evaluate_monomials(x: Float[Array, " variables"], exponents: tuple[tuple[int, ...], ...]) -> Float[Array, " terms"]:
    """prod_i x_i^e_i for every row of exponents, by integer powers: exact derivatives at zero."""
    return jnp.stack([_product([jax.lax.integer_pow(x[i], e) for i, e in enumerate(row) if e], x) for row in exponents])


def _product(factors: list[Array], x: Array) -> Array:
    result = jnp.ones((), x.dtype)
    for factor in factors:
        result = result * factor
    return result
