"""The affine layer of the NTK literature: its weights know the law from which they were drawn."""

import equinox as eqx
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.networks.ntk.law import check_law, factors


class Dense(eqx.Module):
    r"""$z = \frac{\sigma_w}{\sqrt{n}} W x + \sigma_b b$ with all entries of W and b drawn from N(0, 1) ("ntk").

    With "standard" the factors stand in the law instead: $W \sim N(0, \sigma_w^2/n)$, $b \sim N(0, \sigma_b^2)$, $z = W x + b$.
    Both are the same function at the start; gradient descent at rate eta here is gradient descent there with the rates
    eta sigma_w²/n for W and eta sigma_b² for b.

    Source: Jacot, Gabriel & Hongler (2018, arXiv 1806.07572, section 2); Lee et al. (2019, arXiv 1902.06720, eq. 1 and
    supplement).

    Attributes:
        weight: (outputs, inputs), dimensionless.
        bias: (outputs,), None without bias.
        w_std, b_std: sigma_w and sigma_b.
        parameterization: "ntk" or "standard".
    """

    weight: Float[Array, "outputs inputs"]
    bias: Float[Array, " outputs"] | None
    w_std: float = eqx.field(static=True)
    b_std: float | None = eqx.field(static=True)
    parameterization: str = eqx.field(static=True, default="ntk")

    @classmethod
    def init(
        cls, key: PRNGKeyArray, inputs: int, outputs: int, w_std: float = 1.0, b_std: float | None = None,
        parameterization: str = "ntk",
    ) -> "Dense":  # fmt: skip
        """A layer drawn from its law; no bias where `b_std` is None. UsageError for sizes or deviations that cannot be."""
        check_law(w_std, b_std, parameterization, (inputs, outputs))
        w, _, b, _ = factors(w_std, b_std, parameterization, inputs)
        one, two = jax.random.split(key)
        bias = None if b_std is None else b * jax.random.normal(two, (outputs,))
        return cls(w * jax.random.normal(one, (outputs, inputs)), bias, w_std, b_std, parameterization)

    @property
    def fan_in(self) -> int:
        """Numbers that one output sees."""
        return self.weight.shape[1]

    @property
    def scales(self) -> tuple[float, float]:
        """Factors before W and before b."""
        _, w, _, b = factors(self.w_std, self.b_std, self.parameterization, self.fan_in)
        return w, b

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """The affine map along the last axis."""
        w, b = self.scales
        z = w * (x @ self.weight.T)
        return z if self.bias is None else z + b * self.bias
