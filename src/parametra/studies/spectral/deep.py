"""A very deep network of equal layers, run as one scan over the layers, with the gradient of every layer's matrix in sight.

Gains: He, Zhang, Ren & Sun (2015, arXiv 1502.01852) for rectifiers; Poole et al. (2016, arXiv 1606.05340) and Schoenholz et al.
(2017, arXiv 1611.01232) for the edge of chaos of tanh, where correlations and gradients pass furthest; Pennington, Schoenholz &
Ganguli (2017, arXiv 1711.04735) for orthogonal matrices; Balduzzi et al. (2017, arXiv 1702.08591) for mirrored rectifiers.
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.networks.activations import ACTIVATIONS
from parametra.networks.linear import Linear
from parametra.studies.spectral.images import entropy
from parametra.weights import AbstractWeight, Dense, SpectralWeight, glorot_uniform

MIRRORED = "mirrored_relu"
CRITICAL = {"relu": math.sqrt(2.0), MIRRORED: math.sqrt(2.0), "leaky_relu": math.sqrt(2.0 / 1.09), "tanh": 1.0, "identity": 1.0}
EDGE = {"tanh": (math.sqrt(1.76), math.sqrt(0.05)), "relu": (math.sqrt(2.0), 0.0)}  # deviations of weights and biases
KINDS = ("spectral", "orthogonal", "he", "glorot", "edge of chaos", "residual", "spectral residual")


class DeepNetwork(eqx.Module):
    """h <- f(W h + b), or h <- h + f(W h + b) with `residual`, many times over.

    With mirrored rectifiers h <- W [relu(h), relu(-h)] + b, or h plus that: W is twice as wide as high, and [Q, -Q] makes Q h.

    Attributes:
        first: inputs to width.
        weights: one weight whose arrays have the layer as leading axis.
        biases: (layer, width).
        last: width to outputs.
        activation: a name in `ACTIVATIONS`, or "mirrored_relu".
        residual: whether the state is added to each layer's result.
    """

    first: Linear
    weights: AbstractWeight
    biases: Float[Array, "layer width"]
    last: Linear
    activation: str = eqx.field(static=True)
    residual: bool = eqx.field(static=True, default=False)

    @property
    def depth(self) -> int:
        """Number of layers between the first and the last."""
        return self.biases.shape[0]

    def matrices(self) -> Float[Array, "layer width columns"]:
        """The dense matrix of every layer."""
        return jax.vmap(lambda weight: weight.unwrap())(self.weights)

    def singular_values(self) -> Float[Array, "layer width"]:
        """Those of every layer, largest first: known where the weight knows them, decomposed elsewhere."""
        if isinstance(self.weights, SpectralWeight):
            return jax.vmap(lambda weight: weight.singular_values())(self.weights)
        return jnp.linalg.svd(self.matrices(), compute_uv=False)

    def __call__(
        self, x: Float[Array, "batch inputs"], matrices: Float[Array, "layer width columns"] | None = None
    ) -> Float[Array, "batch outputs"]:
        """Scores; with the layers' `matrices` in the place of the network's own, so that they can be differentiated."""

        def layer(h: Array, parts: tuple[Array, Array]) -> tuple[Array, None]:
            matrix, bias = parts
            if self.activation == MIRRORED:
                z = jax.nn.relu(jnp.concatenate([h, -h], axis=-1)) @ matrix.T + bias
            else:
                z = ACTIVATIONS[self.activation](h @ matrix.T + bias)
            return (h + z if self.residual else z), None

        h, _ = jax.lax.scan(layer, self.first(x), (self.matrices() if matrices is None else matrices, self.biases))
        return self.last(h)


def make(
    kind: str, key: PRNGKeyArray, inputs: int, outputs: int, width: int, depth: int, activation: str, radius: float = 0.05
) -> DeepNetwork:
    """A network of `depth` layers by the name of what its matrices are.

    Args:
        kind: "spectral", singular values held within `radius` of the critical gain, relative; "orthogonal", the critical gain
            times an orthogonal matrix at the start, free afterwards; both start as [Q, -Q] where rectifiers are mirrored; "he"
            and "glorot", free; "edge of chaos", normal weights and biases of the deviations in `EDGE`; "residual", zero
            matrices of free branches at the start (Zhang, Dauphin & Ma 2019, arXiv 1901.09321, without their scalars);
            "spectral residual", singular values of the branches in 0 to 2 / depth.
        key: a random key.
        inputs: size of an input.
        outputs: number of scores.
        width: of every layer.
        depth: number of layers.
        activation: "relu", "mirrored_relu", "leaky_relu", "tanh" or "identity".
        radius: relative half-width of the interval of singular values.

    Raises:
        UsageError: an unknown kind, or one that has no law for the activation.
    """
    if kind not in KINDS:
        raise UsageError(f"Unknown kind of deep network {kind!r}. Known: {', '.join(KINDS)}.")
    if activation not in CRITICAL or (kind == "edge of chaos" and activation not in EDGE):
        raise UsageError(f"No critical gain is known for {kind} networks with {activation}. Known: {', '.join(CRITICAL)}.")
    keys = jax.random.split(key, 4)
    bias = 0.0
    if kind == "edge of chaos":
        bias = EDGE[activation][1]
    weights = eqx.filter_vmap(lambda key: _weight(kind, key, width, depth, activation, radius))(jax.random.split(keys[0], depth))
    biases = bias * jax.random.normal(keys[1], (depth, width))
    first = Linear(Dense(glorot_uniform(keys[2], width, inputs) * math.sqrt((width + inputs) / 2 / inputs)), jnp.zeros(width))
    return DeepNetwork(first, weights, biases, Linear.init(keys[3], outputs, width), activation, kind.endswith("residual"))


def _weight(kind: str, key: PRNGKeyArray, width: int, depth: int, activation: str, radius: float) -> AbstractWeight:
    gain, columns = CRITICAL[activation], 2 * width if activation == MIRRORED else width
    if kind == "spectral":  # random rows of reflectors give W a positive diagonal, by which rectified states grow: Haar's law
        bounds = (gain * (1 - radius), gain * (1 + radius))
        return SpectralWeight.from_matrix(_isometry(key, width, columns, gain), "full", bounds, clip=True)
    if kind == "spectral residual":
        return SpectralWeight.init(key, width, columns, "full", (0.0, 2.0 / depth))
    if kind == "residual":
        return Dense(jnp.zeros((width, columns)))
    if kind == "orthogonal":
        return Dense(_isometry(key, width, columns, gain))
    if kind == "glorot":
        return Dense(glorot_uniform(key, width, columns))
    deviation = EDGE[activation][0] if kind == "edge of chaos" else gain
    return Dense(deviation / math.sqrt(columns) * jax.random.normal(key, (width, columns)))


def _isometry(key: PRNGKeyArray, width: int, columns: int, gain: float) -> Float[Array, "width columns"]:
    """All singular values `gain`: gain Q, or [Q, -Q] gain / sqrt 2 where there are two columns for each row."""
    orthogonal = jax.random.orthogonal(key, width)
    return gain * orthogonal if columns == width else gain / math.sqrt(2.0) * jnp.concatenate([orthogonal, -orthogonal], axis=1)


def layer_gradients(network: DeepNetwork, x: Float[Array, "batch inputs"], labels: Any) -> Float[Array, " layer"]:
    """Norm of the gradient of the loss by each layer's dense matrix: comparable whatever the matrix is made of."""
    gradient = jax.grad(lambda matrices: entropy(network(x, matrices), labels))(network.matrices())
    return jnp.linalg.norm(gradient, axis=(1, 2))
