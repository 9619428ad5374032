"""The convolution of the NTK literature over images (height, width, channels)."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.networks.ntk.law import check_law, factors
from parametra.weights.convolve import convolve


def pads(padding: str, size: int, window: int, stride: int) -> tuple[int, int]:
    """Pixels to add below and above an axis of `size`; SAME and CIRCULAR give ceil(size / stride) outputs."""
    if padding == "VALID":
        return 0, 0
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def pad(x: Float[Array, "..."], axes: tuple[int, int], padding: str, window: tuple[int, int], strides: tuple[int, int]) -> Array:
    """`x` with the two pixel `axes` padded by zeros, or wrapped around."""
    widths = [(0, 0)] * x.ndim
    for axis, size, stride in zip(axes, window, strides, strict=True):
        if x.shape[axis] < (size if padding == "VALID" else 1):
            raise UsageError(
                f"A window of {window} does not fit into an image of {tuple(x.shape[a] for a in axes)}. Likely cause: VALID "
                "padding or pooling on an image that has become too small. Remedy: fewer layers, or SAME padding."
            )
        widths[axis] = pads(padding, x.shape[axis], size, stride)
    return jnp.pad(x, widths, mode="wrap" if padding == "CIRCULAR" else "constant")


class Conv(eqx.Module):
    r"""$z_p = \frac{\sigma_w}{\sqrt{n |S|}} \sum_{s \in S} W_s x_{p+s} + \sigma_b b$, weights as in `Dense`, fan-in n |S|.

    SAME pads with zeros and does not renormalise at the edges; CIRCULAR wraps around.

    Attributes:
        weight: (rows, columns, inputs, outputs) of the filter.
        bias: (outputs,), None without bias.
        strides: pixels from one output to the next.
        padding: "SAME", "VALID" or "CIRCULAR".
        w_std, b_std, parameterization: as in `Dense`.
    """

    weight: Float[Array, "rows columns inputs outputs"]
    bias: Float[Array, " outputs"] | None
    strides: tuple[int, int] = eqx.field(static=True)
    padding: str = eqx.field(static=True)
    w_std: float = eqx.field(static=True)
    b_std: float | None = eqx.field(static=True)
    parameterization: str = eqx.field(static=True, default="ntk")

    def __check_init__(self):
        if self.padding not in ("SAME", "VALID", "CIRCULAR"):
            raise UsageError(f"Unknown padding {self.padding!r}. Known: SAME, VALID, CIRCULAR.")
        if min(self.strides) < 1:
            raise UsageError(f"Strides must be at least 1, got {self.strides}.")

    @classmethod
    def init(
        cls, key: PRNGKeyArray, inputs: int, outputs: int, window: tuple[int, int] = (3, 3), *, w_std: float = 1.0,
        b_std: float | None = None, strides: tuple[int, int] = (1, 1), padding: str = "SAME",
        parameterization: str = "ntk",
    ) -> "Conv":  # fmt: skip
        """A layer drawn from its law; UsageError for sizes or deviations that cannot be."""
        check_law(w_std, b_std, parameterization, (inputs, outputs, *window))
        w, _, b, _ = factors(w_std, b_std, parameterization, inputs * window[0] * window[1])
        one, two = jax.random.split(key)
        bias = None if b_std is None else b * jax.random.normal(two, (outputs,))
        weight = w * jax.random.normal(one, (*window, inputs, outputs))
        return cls(weight, bias, strides, padding, w_std, b_std, parameterization)

    @property
    def window(self) -> tuple[int, int]:
        """Rows and columns of the filter."""
        return self.weight.shape[0], self.weight.shape[1]

    @property
    def fan_in(self) -> int:
        """Numbers that one output sees."""
        rows, columns, inputs, _ = self.weight.shape
        return rows * columns * inputs

    @property
    def scales(self) -> tuple[float, float]:
        """Factors before W and before b."""
        _, w, _, b = factors(self.w_std, self.b_std, self.parameterization, self.fan_in)
        return w, b

    def __call__(self, x: Float[Array, "*batch height width inputs"]) -> Float[Array, "*batch rows columns outputs"]:
        """The convolution (cross-correlation, as in every network library)."""
        images = x.reshape(-1, *x.shape[-3:])
        padded = pad(images, (1, 2), self.padding, self.window, self.strides)
        w, b = self.scales
        z = w * convolve(padded, self.weight, self.strides, "VALID")
        z = z if self.bias is None else z + b * self.bias
        return z.reshape(*x.shape[:-3], *z.shape[1:])
