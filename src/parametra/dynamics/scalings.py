r"""Coordinates in which states at another control look like those seen: x / s(mu), with s(mu) = (mu / mu_0)^p.

Networks do not extrapolate in the state. Where an attractor grows with the control like a power of it, dividing by that power
keeps it inside the training box. The powers are fixed, chosen by edge validation, or, those of the state alone, trained
with the network: trained powers of the prediction would shrink the residual by shrinking the unit in which it is measured.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.core.errors import UsageError

State = Float[Array, " state"]
Control = Float[Array, " control"]


class Scaling(eqx.Module):
    """u = (x / s(mu) - centre) / half, z = s_out(mu) (out_centre + out_half v), m = (mu - mid) / span.

    Attributes:
        centre, half: (state,), so that training states lie in [-1, 1]; 0 and 1 leave them as they are.
        out_centre, out_half: (state,), the same for the predicted quantity.
        mid, span: (control,), so that training controls lie in [-1, 1].
        reference: mu_0, where s = 1: the first control at the upper end of its training range.
        powers, out_powers: (state,), of s and s_out in the first control; 0 switches the rescaling off.
    """

    centre: State
    half: State
    out_centre: State
    out_half: State
    mid: Control
    span: Control
    reference: Float[Array, ""]
    powers: State
    out_powers: State

    def inputs(self, state: State, control: Control) -> State:
        """What the main network sees of a state."""
        return (state / self.size(self.powers, control) - self.centre) / self.half

    def outputs(self, value: State, control: Control) -> State:
        """The predicted quantity from what the main network gives."""
        return self.size(self.out_powers, control) * (self.out_centre + self.out_half * value)

    def targets(self, value: State, control: Control) -> State:
        """What the main network should give: the inverse of `outputs`."""
        return (value / self.size(self.out_powers, control) - self.out_centre) / self.out_half

    def control(self, control: Control) -> Control:
        """What the parameterization network sees of a control."""
        return (control - self.mid) / self.span

    def size(self, powers: State, control: Control) -> State:
        """(mu / mu_0)^p."""
        return (control[0] / self.reference) ** powers


def scaling_of(
    x: np.ndarray, z: np.ndarray, control: np.ndarray, powers: tuple[float, ...], out_powers: tuple[float, ...], *,
    raw: bool, learned: bool = False,
) -> Scaling:  # fmt: skip
    """The scaling that fits pairs x, z (sample, state) at controls (sample, control); `raw` leaves coordinates as they are.

    `learned` powers are where training starts.

    Raises:
        UsageError: powers of the wrong number, or of a control that is not positive.
    """
    dimension = x.shape[1]
    each, each_out = (_per_state(given, dimension) for given in (powers, out_powers))
    top = control.max(axis=0)
    if (learned or np.any(each) or np.any(each_out)) and control[:, 0].min() <= 0:
        raise UsageError(
            f"State scaling by powers needs a positive control, found {control[:, 0].min():g}. Remedy: powers of 0 that are not "
            "learned, or a shifted control."
        )
    size = (control[:, :1] / top[0]) if control[:, 0].min() > 0 else np.ones((len(x), 1))
    centre, half = _range(x / size**each)
    out_centre, out_half = _range(z / size**each_out)
    mid, span = _range(control)
    if raw:
        centre, half, out_centre, out_half = np.zeros(dimension), np.ones(dimension), np.zeros(dimension), np.ones(dimension)
        mid, span = np.zeros_like(mid), np.ones_like(span)
    parts = (centre, half, out_centre, out_half, mid, span, top[0], each, each_out)
    return Scaling(*(jnp.asarray(part, jnp.result_type(float)) for part in parts))


def _per_state(powers: tuple[float, ...], dimension: int) -> np.ndarray:
    if len(powers) not in (0, 1, dimension):
        raise UsageError(f"Got {len(powers)} powers for {dimension} state variables. Remedy: one each, or one for all.")
    return np.broadcast_to(np.asarray(powers or (0.0,), np.float64), (dimension,)).copy()


def _range(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = values.min(axis=0), values.max(axis=0)
    half = (high - low) / 2
    return (high + low) / 2, np.where(half > 0, half, 1.0)
