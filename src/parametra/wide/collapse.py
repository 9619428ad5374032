r"""Networks without bias whose activations are positively homogeneous: both kernels are norms times a function of the angle.

$K(x, x') = \sqrt{K_0(x,x) K_0(x',x')}\, h(\rho)$ at any depth, so h is found once, by the network's own rules on unit vectors,
and stands as a polynomial in the angle: the cost of a pair does not grow with depth. Source: Cho & Saul (2009) for one layer; the
composition is exact, the polynomial's error is measured when it is made.
"""

import functools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.polynomial import chebyshev

from parametra.networks import ntk
from parametra.wide.arithmetic import arcsine, correlation
from parametra.wide.kernel import Kernel, skeleton
from parametra.wide.rules import parts, refuse_other_size, rule
from parametra.wide.state import State

DEGREES = (8, 10, 12, 14, 16, 18, 22, 26, 32, 40, 50)


class Collapsed(eqx.Module):
    """h of both kernels as polynomials, highest power first, in s = (2/pi) arcsin rho, which runs from -1 to 1.

    Attributes:
        nngp, ntk: coefficients.
        nngp_one, ntk_one: h at rho = 1, exact, for the diagonal.
        error: largest error of both polynomials as evaluated in the precision of the inputs, relative to h(1).
        inputs: of the first dense layer.
    """

    nngp: tuple[float, ...] = eqx.field(static=True)
    ntk: tuple[float, ...] = eqx.field(static=True)
    nngp_one: float = eqx.field(static=True)
    ntk_one: float = eqx.field(static=True)
    error: float = eqx.field(static=True)
    inputs: int = eqx.field(static=True)

    def __call__(self, x1: Float[Array, "n1 d"], x2: Float[Array, "n2 d"] | None) -> Kernel:
        """Kernels (n1, n2); diagonal exact where `x2` is None. UsageError for inputs that the first layer cannot take."""
        refuse_other_size(x1.shape[-1], self.inputs)
        other = x1 if x2 is None else x2
        first, second = (jnp.sum(x * x, -1) / x1.shape[-1] for x in (x1, other))
        product = jnp.matmul(x1, other.T, precision="highest") / x1.shape[-1]
        size, rho = correlation(first[:, None], second[None], product)
        s = arcsine(rho) * (2.0 / math.pi)
        nngp, tangent = (size * _horner(coefficients, s) for coefficients in (self.nngp, self.ntk))
        if x2 is None:
            eye = jnp.eye(len(x1), dtype=bool)
            nngp, tangent = (
                jnp.where(eye, one * first[:, None], value) for one, value in ((self.nngp_one, nngp), (self.ntk_one, tangent))
            )
        return Kernel(nngp, tangent)


def collapse(model: Any, dtype: Any = np.float32) -> Collapsed | None:
    """The polynomials of `model`; None where it has a bias, no dense layer, or one that is not positively homogeneous."""
    inputs = _inputs(model)
    return _collapse(skeleton(model), inputs, np.dtype(dtype)) if inputs is not None and _homogeneous(model) else None


@functools.lru_cache(maxsize=64)
def _collapse(model: Any, inputs: int, dtype: np.dtype) -> Collapsed:
    """The fit, once for each network and precision: it costs more than a small Gram matrix."""
    with jax.enable_x64(True):

        def kernels(s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            rho = jnp.asarray(np.sin(0.5 * np.pi * s))
            one = jnp.ones_like(rho)
            end = rule(model, State(rho, jnp.zeros_like(rho), one, one, channels=inputs, paired=True))
            return np.asarray(end.nngp), np.asarray(end.ntk)

        unit = jnp.ones(1)
        one = rule(model, State(unit, 0.0 * unit, unit, unit, channels=inputs, same=True, paired=True))
        tops = float(one.nngp[0]), float(one.ntk[0])
        grid = np.cos(np.linspace(0.0, np.pi, 4 * max(DEGREES) + 1))
        exact = kernels(grid)
        nodes = chebyshev.chebpts1(max(DEGREES) + 1)
        fits = [chebyshev.chebfit(nodes, values, max(DEGREES)) for values in kernels(nodes)]
    tolerance = 2e-7 if dtype == np.float32 else 1e-12
    best: Collapsed | None = None
    for degree in DEGREES:
        powers = [tuple(chebyshev.cheb2poly(fit[: degree + 1])[::-1].tolist()) for fit in fits]
        errors = [
            np.abs(_horner(np.asarray(power, dtype), grid.astype(dtype)) - value).max() / top
            for power, value, top in zip(powers, exact, tops, strict=True)
        ]
        if best is None or max(errors) < best.error:
            best = Collapsed(powers[0], powers[1], tops[0], tops[1], float(max(errors)), inputs)
        if max(errors) < tolerance:
            break
    assert best is not None
    return best


def _homogeneous(model: Any) -> bool:
    if isinstance(model, ntk.ResidualSum):
        return _homogeneous(model.branch) and _homogeneous(model.shortcut)
    layers = parts(model)
    if layers is not None:
        return all(map(_homogeneous, layers))
    if isinstance(model, ntk.Dense):
        return model.bias is None
    return isinstance(model, ntk.ABReLU | ntk.Dropout)


def _inputs(model: Any) -> int | None:
    """Of the first dense layer, also behind layers without weights or in a residual sum; None without one."""
    if isinstance(model, ntk.Dense):
        return model.fan_in
    layers = (model.branch, model.shortcut) if isinstance(model, ntk.ResidualSum) else parts(model) or ()
    return next((inputs for inputs in map(_inputs, layers) if inputs is not None), None)


def _horner(coefficients: Any, x: Any) -> Any:
    result = x * coefficients[0] + coefficients[1]
    for coefficient in coefficients[2:]:
        result = result * x + coefficient
    return result
