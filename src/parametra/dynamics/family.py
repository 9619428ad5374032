r"""A family of systems: one main network whose weights move with the control, theta(mu) = theta_0 + sum_k c_k(mu) theta_k."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from parametra.dynamics.bodies import AbstractBody
from parametra.dynamics.coefficients import AbstractCoefficients
from parametra.dynamics.links import AbstractLink
from parametra.dynamics.scalings import Scaling
from parametra.dynamics.systems import AbstractSystem

State = Float[Array, " state"]
Control = Float[Array, " control"]


class Family(AbstractSystem):
    r"""x' = link(s_out(mu) sum_k c_k(mu) readout_k phi(u; theta(mu)), x), u = x / s(mu), c_0 = 1.

    Attributes:
        body: phi, with theta_0 in it.
        directions: theta_k of the body's arrays, with a leading axis K; None where the body does not move with the control.
        readout: (1 + K, state, feature), theta_0 and theta_k of the linear last layer.
        coefficients: c.
        scaling, link: coordinates and what is predicted.
    """

    body: AbstractBody
    directions: PyTree
    readout: Float[Array, "moving state feature"]
    coefficients: AbstractCoefficients
    scaling: Scaling
    link: AbstractLink
    dimension: int = eqx.field(static=True)
    time_step: float = eqx.field(static=True, default=1.0)

    @property
    def controls(self) -> int:
        """Numbers in a control, those of the series that it was learned from."""
        return self.scaling.mid.shape[-1]

    def at(self, control: Control) -> Callable[[State], State]:
        """The step at one control, with theta(mu) computed once."""
        moving, body = self._theta(control)
        readout = jnp.tensordot(moving, self.readout, axes=1)

        def predict(state: State) -> State:
            return self.scaling.outputs(readout @ body(self._seen(state, control)), control)

        return lambda state: self.link.advance(predict, state, self.time_step)

    def predict(self, state: State, control: Control) -> State:
        """The linked quantity: x', x' - x, log x'/x or dx/dt."""
        features = self.features(state, control)
        return self.scaling.outputs(jnp.einsum("kf,ksf->s", features, self.readout), control)

    def step(self, state: State, control: Control) -> State:
        """The state one step later."""
        return self.at(control)(state)

    def features(self, state: State, control: Control) -> Float[Array, "moving feature"]:
        """c_k(mu) phi_f(u): what the readout multiplies."""
        moving, body = self._theta(control)
        return moving[:, None] * body(self._seen(state, control))[None, :]

    def _theta(self, control: Control) -> tuple[Float[Array, " moving"], AbstractBody]:
        moving = self.coefficients(self.scaling.control(control))
        body = self.body
        if self.directions is not None:
            shift = jax.tree.map(lambda leaf: jnp.tensordot(moving, leaf, axes=1), self.directions)
            body = eqx.apply_updates(body, shift)
        return jnp.concatenate([jnp.ones((1,), moving.dtype), moving]), body

    def _seen(self, state: State, control: Control) -> Float[Array, " inputs"]:
        inputs = self.scaling.inputs(state, control)
        return jnp.concatenate([inputs, self.scaling.control(control)]) if self.coefficients.joins else inputs
