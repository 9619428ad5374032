"""Recurrent cells over any weight, and the scan that runs them.

What does not depend on the state, the products with the inputs, is done for all times at once; the weights of the recurrence are
made ready once, outside the scan. States are arrays (*batch, width), sequences (time, *batch, inputs).
"""

from abc import abstractmethod
from typing import ClassVar, Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.networks.activations import ACTIVATIONS
from parametra.weights import AbstractWeight, Dense, SpectralWeight, glorot_uniform, resolve
from parametra.weights.spectral import Count

State = TypeVar("State")


class AbstractCell(eqx.Module, Generic[State]):
    """A step from one state to the next.

    Attributes:
        hidden: weight of the recurrence (k · width, width), k gates above one another.
        inputs: weight of the inputs (k · width, inputs).
    """

    hidden: eqx.AbstractVar[AbstractWeight]
    inputs: eqx.AbstractVar[AbstractWeight]

    @property
    def width(self) -> int:
        """Size of the state."""
        return self.hidden.shape[1]

    @abstractmethod
    def start(self, batch: tuple[int, ...]) -> State:
        """The state before the first step: zero."""

    @abstractmethod
    def drive(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch gates"]:
        """What the inputs contribute, whatever the state."""

    @abstractmethod
    def step(self, state: State, drive: Float[Array, "*batch gates"]) -> State:
        """The next state."""

    @abstractmethod
    def output(self, state: State) -> Float[Array, "*batch width"]:
        """What the next layer sees of a state."""

    def run(
        self, x: Float[Array, "time *batch inputs"], state: State | None = None
    ) -> tuple[Float[Array, "time *batch width"], State]:
        """Outputs at all times, and the last state."""
        cell = resolve(self)
        drives = cell.drive(x)

        def advance(state: State, drive: Array) -> tuple[State, Array]:
            state = cell.step(state, drive)
            return state, cell.output(state)

        last, outputs = jax.lax.scan(advance, self.start(x.shape[1:-1]) if state is None else state, drives)
        return outputs, last


class RNNCell(AbstractCell[Array]):
    """h = f(W h + M x + b); with "modrelu", h = sign(z) relu(|z| + b) of z = W h + M x (Arjovsky et al. 2016, arXiv 1511.06464).

    Attributes:
        hidden: W, any square weight; with a spectral one this is the spectral RNN of Zhang, Lei & Dhillon (2018).
        inputs: M.
        bias: b (width,).
        activation: a name in `ACTIVATIONS`, or "modrelu".
    """

    hidden: AbstractWeight
    inputs: AbstractWeight
    bias: Float[Array, " width"]
    activation: str = eqx.field(static=True, default="tanh")

    def __check_init__(self):
        if self.activation not in (*ACTIVATIONS, "modrelu"):
            raise UsageError(f"Unknown activation {self.activation!r}. Known: {', '.join(ACTIVATIONS)}, modrelu.")
        check_gates(self.hidden, self.inputs, 1)

    @classmethod
    def init(cls, key: PRNGKeyArray, width: int, inputs: int, activation: str = "tanh") -> "RNNCell":
        """Free matrices (Glorot) and zero bias."""
        keys = jax.random.split(key)
        return cls(Dense.init(keys[0], width, width), Dense.init(keys[1], width, inputs), jnp.zeros(width), activation)

    @classmethod
    def spectral(
        cls,
        key: PRNGKeyArray,
        width: int,
        inputs: int,
        reflectors: Count = "full",
        radius: float = 0.01,
        activation: str = "leaky_relu",
    ) -> "RNNCell":
        """The spectral RNN: singular values of W in [1 - radius, 1 + radius]; UsageError for what cannot be.

        The text of the paper has leaky ReLU, its code ReLU; modReLU is what learns the copy task.
        """
        keys = jax.random.split(key)
        hidden = SpectralWeight.init(keys[0], width, width, reflectors, (1 - radius, 1 + radius))
        return cls(hidden, Dense(glorot_uniform(keys[1], width, inputs)), jnp.zeros(width), activation)

    def start(self, batch: tuple[int, ...]) -> Float[Array, "*batch width"]:
        """Zero."""
        return jnp.zeros((*batch, self.width), self.bias.dtype)

    def drive(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch width"]:
        """M x + b, without the b that modReLU uses otherwise."""
        return self.inputs.apply(x) if self.activation == "modrelu" else self.inputs.apply(x) + self.bias

    def step(self, state: Float[Array, "*batch width"], drive: Float[Array, "*batch width"]) -> Float[Array, "*batch width"]:
        """The next h."""
        z = self.hidden.apply(state) + drive
        if self.activation == "modrelu":
            return jnp.sign(z) * jax.nn.relu(jnp.abs(z) + self.bias)
        return ACTIVATIONS[self.activation](z)

    def output(self, state: Float[Array, "*batch width"]) -> Float[Array, "*batch width"]:
        """The state itself."""
        return state


class AbstractGatedCell(AbstractCell[State]):
    """Cells with gates, their matrices above one another, and two biases, as torch and cuDNN have.

    Attributes:
        hidden: W (gates · width, width): free, or `Stacked` of a weight for each gate.
        inputs: M (gates · width, inputs).
        hidden_bias: b_h (gates · width,).
        input_bias: b_x (gates · width,).
    """

    hidden: AbstractWeight
    inputs: AbstractWeight
    hidden_bias: Float[Array, " gates"]
    input_bias: Float[Array, " gates"]
    gates: eqx.AbstractClassVar[int]

    def __check_init__(self):
        check_gates(self.hidden, self.inputs, self.gates)

    @classmethod
    def init(cls, key: PRNGKeyArray, width: int, inputs: int):
        """Everything uniform in ± 1/sqrt(width), the default of torch; UsageError for sizes below 1."""
        if min(width, inputs) < 1:
            raise UsageError(f"Sizes of a recurrent cell must be at least 1, got width {width} and inputs {inputs}.")
        rows, bound = cls.gates * width, width**-0.5
        shapes = ((rows, width), (rows, inputs), (rows,), (rows,))
        keys = jax.random.split(key, 4)
        arrays = [jax.random.uniform(k, s, minval=-bound, maxval=bound) for k, s in zip(keys, shapes, strict=True)]
        return cls(Dense(arrays[0]), Dense(arrays[1]), arrays[2], arrays[3])


class LSTMCell(AbstractGatedCell[tuple[Array, Array]]):
    """c = f c + i g, h = o tanh c; gates i, f, o = sigmoid and g = tanh of W h + b_h + M x + b_x, in the order i, f, g, o.

    Two biases, as torch and cuDNN have, so that numbers of parameters and checkpoints agree. The state is (h, c).
    """

    gates: ClassVar[int] = 4

    def start(self, batch: tuple[int, ...]) -> tuple[Array, Array]:
        """Zeros."""
        zero = jnp.zeros((*batch, self.width), self.hidden_bias.dtype)
        return zero, zero

    def drive(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch gates"]:
        """M x and both biases."""
        return self.inputs.apply(x) + (self.input_bias + self.hidden_bias)

    def step(self, state: tuple[Array, Array], drive: Float[Array, "*batch gates"]) -> tuple[Array, Array]:
        """The next (h, c)."""
        h, c = state
        i, f, g, o = jnp.split(self.hidden.apply(h) + drive, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    def output(self, state: tuple[Array, Array]) -> Float[Array, "*batch width"]:
        """The h of (h, c)."""
        return state[0]


class GRUCell(AbstractGatedCell[Array]):
    """h = (1 - z) n + z h, n = tanh(M_n x + b + r (W_n h + b_n)), gates r, z = sigmoid of W h + M x + b; order r, z, n."""

    gates: ClassVar[int] = 3

    def start(self, batch: tuple[int, ...]) -> Float[Array, "*batch width"]:
        """Zero."""
        return jnp.zeros((*batch, self.width), self.hidden_bias.dtype)

    def drive(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch gates"]:
        """M x and its bias."""
        return self.inputs.apply(x) + self.input_bias

    def step(self, state: Float[Array, "*batch width"], drive: Float[Array, "*batch gates"]) -> Float[Array, "*batch width"]:
        """The next h."""
        r, z, n = jnp.split(self.hidden.apply(state) + self.hidden_bias, 3, axis=-1)
        dr, dz, dn = jnp.split(drive, 3, axis=-1)
        keep = jax.nn.sigmoid(z + dz)
        return (1 - keep) * jnp.tanh(dn + jax.nn.sigmoid(r + dr) * n) + keep * state

    def output(self, state: Float[Array, "*batch width"]) -> Float[Array, "*batch width"]:
        """The state itself."""
        return state


def check_gates(hidden: AbstractWeight, inputs: AbstractWeight, gates: int) -> None:
    """UsageError unless the weights belong to one cell with that many gates."""
    rows, width = hidden.shape
    if rows != gates * width or inputs.shape[0] != rows:
        raise UsageError(
            f"A cell with {gates} gate(s) needs hidden ({gates} n, n) and inputs ({gates} n, any), got {hidden.shape} and "
            f"{inputs.shape}. Likely cause: weights of another cell or width. Remedy: init, then parametrize."
        )
