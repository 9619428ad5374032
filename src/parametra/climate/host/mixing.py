"""Implicit vertical diffusion with surface drag and a sponge, as constant matrices.

With rho = p / RT and dp = -rho g dz the diffusion of x in sigma layers is

    dx_k/dt = (F_{k+1/2} - F_{k-1/2}) / dsigma_k,    F_h = g^2 sigma_h K_h / ((R T_h)^2 ln(sigma_{k+1} / sigma_k)) (x_{k+1} - x_k)

in which surface pressure has cancelled. With T_h from a fixed reference profile (an error of some ten percent in K, which is not
known better) the implicit step is one constant matrix: it keeps the sum of dsigma x to round-off and costs one small product.
Only the surface drag differs from column to column; it is a change of rank one (Sherman & Morrison 1950).
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.host.profiles import reference_temperature
from parametra.core.constants import GAS_CONSTANT, GRAVITY

Columns = Float[Array, "column level"]


@dataclass(frozen=True, eq=False)
class VerticalMixing:
    """One implicit step x -> P x, P = (1 + dt (D + damping))^-1, and what it takes from kinetic energy.

    Attributes:
        propagator: P (level, level), float64.
        exchange: F_h per difference, times dt (level - 1,), sigma.
        damping: dt times the damping rate (level,).
        thickness: dsigma (level,).
    """

    propagator: np.ndarray
    exchange: np.ndarray
    damping: np.ndarray
    thickness: np.ndarray

    @classmethod
    def build(
        cls, sigma_half: np.ndarray, diffusivity: np.ndarray, time_step: float, damping: np.ndarray | None = None
    ) -> "VerticalMixing":
        """From interfaces (level + 1,), K at the inner interfaces (level - 1,) [m2 s-1] and damping rates (level,) [s-1]."""
        thickness, inner = np.diff(sigma_half), sigma_half[1:-1]
        sigma = 0.5 * (sigma_half[1:] + sigma_half[:-1])
        rt = GAS_CONSTANT * reference_temperature(inner)
        exchange = time_step * GRAVITY**2 * inner * diffusivity / (rt**2 * np.log(sigma[1:] / sigma[:-1]))
        damped = np.zeros_like(sigma) if damping is None else time_step * damping
        difference = np.diff(np.eye(sigma.size), axis=0)
        matrix = np.diag(thickness * (1.0 + damped)) + difference.T @ (exchange[:, None] * difference)
        return cls(np.linalg.solve(matrix, np.diag(thickness)), exchange, damped, thickness)

    def __call__(self, x: Columns) -> Columns:
        """P x, as x plus its change: rounding P itself would make or lose a ten-millionth of x in every step."""
        change = jnp.asarray(self.propagator.T - np.eye(self.thickness.size), x.dtype)
        return x + jnp.matmul(x, change, precision=jax.lax.Precision.HIGHEST)

    def with_drag(self, x: Columns, drag: Float[Array, " column"]) -> Columns:
        """Implicit step with another damping `drag` (dt times its rate) of the lowest layer."""
        mixed = self(x)
        lowest = jnp.asarray(self.propagator[:, -1], x.dtype)
        return mixed - (drag * mixed[:, -1] / (1.0 + drag * lowest[-1]))[:, None] * lowest

    def dissipation(self, before: Columns, after: Columns, drag: Float[Array, " column"]) -> Columns:
        """Kinetic energy [J kg-1] that one wind component lost in each layer, positive; its column sum is exactly the loss.

        From x_after - x_before = -dt (...) x_after: the loss is half a square of each difference shared by its two
        neighbours, the work of damping and drag, and half the square of the change, which is the implicit scheme's own.
        """
        thickness = jnp.asarray(self.thickness, after.dtype)
        shear = 0.5 * jnp.asarray(self.exchange, after.dtype) * jnp.diff(after, axis=1) ** 2
        shared = (jnp.pad(shear, ((0, 0), (0, 1))) + jnp.pad(shear, ((0, 0), (1, 0)))) / thickness
        damped = jnp.asarray(self.damping, after.dtype) * after**2
        return (shared + damped + 0.5 * (after - before) ** 2).at[:, -1].add(drag * after[:, -1] ** 2)
