"""A recurrent network with a readout, of any of the kinds that are compared, by name."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.networks.linear import Linear
from parametra.networks.recurrent import AbstractCell, GRUCell, LSTMCell, RNNCell
from parametra.studies.spectral.config import CellConfig
from parametra.studies.spectral.orthogonal import SkewWeight
from parametra.weights import Dense, SpectralWeight, glorot_uniform
from parametra.weights.plan import stored


class RecurrentNetwork(eqx.Module):
    """Scores at every time of what a cell has seen so far.

    Attributes:
        cell: any recurrent cell.
        readout: its state to scores.
    """

    cell: AbstractCell
    readout: Linear

    def __call__(self, x: Float[Array, "time *batch inputs"]) -> Float[Array, "time *batch outputs"]:
        """Scores at all times."""
        return self.readout(self.cell.run(x)[0])

    def last(self, x: Float[Array, "time *batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Scores after the last step."""
        return self.readout(self.cell.output(self.cell.run(x)[1]))


def spectral(key: PRNGKeyArray, config: CellConfig, width: int, inputs: int) -> RNNCell:
    """The spectral RNN of Zhang, Lei & Dhillon (2018); from U = V on, where the start is the identity, as IRNN is from W = 1."""
    cell = RNNCell.spectral(key, width, inputs, min(config.reflectors, width), config.radius, config.activation)
    if config.start == "identity":
        hidden, small = cell.hidden, Dense(1e-3 * jax.random.normal(key, (width, inputs)))
        assert isinstance(hidden, SpectralWeight)
        cell = eqx.tree_at(lambda cell: (cell.hidden.right, cell.inputs), cell, (hidden.left, small))
    return cell


def vanilla(key: PRNGKeyArray, config: CellConfig, width: int, inputs: int) -> RNNCell:
    """Free matrices and tanh."""
    return RNNCell.init(key, width, inputs)


def irnn(key: PRNGKeyArray, config: CellConfig, width: int, inputs: int) -> RNNCell:
    """The identity at the start, ReLU (Le, Jaitly & Hinton 2015, arXiv 1504.00941); inputs normal with deviation 0.001."""
    matrix = 1e-3 * jax.random.normal(key, (width, inputs))
    return RNNCell(Dense(jnp.eye(width)), Dense(matrix), jnp.zeros(width), "relu")


def lstm(key: PRNGKeyArray, config: CellConfig, width: int, inputs: int) -> LSTMCell:
    """The default of torch, with forget gates that start open: bias 1 (Jozefowicz, Zaremba & Sutskever 2015)."""
    cell = LSTMCell.init(key, width, inputs)
    return eqx.tree_at(lambda cell: cell.input_bias, cell, cell.input_bias.at[width : 2 * width].set(1.0))


def gru(key: PRNGKeyArray, config: CellConfig, width: int, inputs: int) -> GRUCell:
    """The default of torch."""
    return GRUCell.init(key, width, inputs)


def orthogonal(map: str) -> Callable[[PRNGKeyArray, CellConfig, int, int], RNNCell]:
    """The cell of an orthogonal weight by its map, with the activation of the spectral one."""

    def make(key: PRNGKeyArray, config: CellConfig, width: int, inputs: int) -> RNNCell:
        keys = jax.random.split(key)
        hidden, matrix = SkewWeight.init(keys[0], width, map), glorot_uniform(keys[1], width, inputs)
        return RNNCell(hidden, Dense(matrix), jnp.zeros(width), config.activation)

    return make


CELLS: dict[str, Callable[[PRNGKeyArray, CellConfig, int, int], AbstractCell]] = {
    "spectral": spectral,
    "rnn": vanilla,
    "irnn": irnn,
    "lstm": lstm,
    "gru": gru,
    "cayley": orthogonal("cayley"),
    "exponential": orthogonal("exponential"),
}


def make(name: str, key: PRNGKeyArray, config: CellConfig, inputs: int, outputs: int, width: int = 0) -> RecurrentNetwork:
    """A network by the name of its cell; `width` in the place of the configuration's, where it is given."""
    if name not in CELLS:
        raise UsageError(f"Unknown recurrent network {name!r}. Known: {', '.join(CELLS)}.")
    keys, width = jax.random.split(key), width or config.width
    return RecurrentNetwork(CELLS[name](keys[0], config, width, inputs), Linear.init(keys[1], outputs, width))


def width_of_size(name: str, parameters: int, config: CellConfig, inputs: int, outputs: int) -> int:
    """The width at which a network has at most `parameters` free numbers, at least 2."""
    low, high = 2, 4
    while size_of(name, config, inputs, outputs, high) <= parameters:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size_of(name, config, inputs, outputs, middle) <= parameters else (low, middle)
    return low


def size_of(name: str, config: CellConfig, inputs: int, outputs: int, width: int = 0) -> int:
    """Free numbers of a network, without making it."""
    return stored(eqx.filter_eval_shape(make, name, jax.random.key(0), config, inputs, outputs, width))[0]
