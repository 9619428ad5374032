"""Two tasks of pure memory, drawn afresh for every batch: nothing can be learned by heart.

Sources: Hochreiter & Schmidhuber (1997, Neural Computation 9, 1735), in the form of Arjovsky, Shah & Bengio (2016, arXiv
1511.06464), section 4.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from parametra.core.errors import UsageError

SYMBOLS = 8
RECALLED = 10


@dataclass(frozen=True)
class CopyTask:
    """Ten of eight symbols, blanks, a sign, ten blanks more: after the sign the symbols are to be said again, before it blanks.

    Attributes:
        delay: steps between the last symbol and the first answer, T; a sequence has T + 20 steps.
    """

    delay: int

    def __post_init__(self) -> None:
        if self.delay < 1:
            raise UsageError(f"The copy task needs a delay of at least 1 step, got {self.delay}.")

    @property
    def inputs(self) -> int:
        """Eight symbols, blank, sign."""
        return SYMBOLS + 2

    @property
    def outputs(self) -> int:
        """Eight symbols, blank."""
        return SYMBOLS + 1

    @property
    def trivial(self) -> float:
        """Loss without memory: blanks, then all symbols equally likely [nats a step]."""
        return float(RECALLED * jnp.log(SYMBOLS) / (self.delay + 2 * RECALLED))

    def draw(self, key: PRNGKeyArray, batch: int) -> tuple[Float[Array, "time batch inputs"], Int[Array, "time batch"]]:
        """One-hot inputs and the classes to answer, the last class for blank."""
        symbols = jax.random.randint(key, (RECALLED, batch), 0, SYMBOLS)
        blank, sign = jnp.full((self.delay + RECALLED, batch), SYMBOLS), jnp.full((1, batch), SYMBOLS + 1)
        shown = jnp.concatenate([symbols, blank[: self.delay - 1], sign, blank[:RECALLED]])
        return jax.nn.one_hot(shown, self.inputs), jnp.concatenate([blank, symbols])

    def loss(self, scores: Float[Array, "time batch outputs"], targets: Int[Array, "time batch"]) -> Float[Array, ""]:
        """Mean cross-entropy over all steps [nats]."""
        chosen = jnp.take_along_axis(scores, targets[..., None], axis=-1)[..., 0]
        return jnp.mean(jax.nn.logsumexp(scores, axis=-1) - chosen)

    def score(self, scores: Float[Array, "time batch outputs"], targets: Int[Array, "time batch"]) -> Float[Array, ""]:
        """Share of the symbols that are recalled."""
        return jnp.mean(jnp.argmax(scores[-RECALLED:], axis=-1) == targets[-RECALLED:])


@dataclass(frozen=True)
class AdditionTask:
    """A row of numbers, uniform in 0 to 1, two of them marked, one in each half; the answer at the end is their sum.

    Attributes:
        length: steps of a sequence, T.
    """

    length: int

    def __post_init__(self) -> None:
        if self.length < 2:
            raise UsageError(f"The addition task needs at least 2 steps, got {self.length}.")

    @property
    def inputs(self) -> int:
        """The number and its mark."""
        return 2

    @property
    def outputs(self) -> int:
        """The sum."""
        return 1

    @property
    def trivial(self) -> float:
        """Mean square error of always answering 1: twice the variance of a uniform number."""
        return 1.0 / 6.0

    def draw(self, key: PRNGKeyArray, batch: int) -> tuple[Float[Array, "time batch inputs"], Float[Array, " batch"]]:
        """Numbers with marks, and the sum of the two that are marked."""
        keys, half = jax.random.split(key, 3), self.length // 2
        numbers = jax.random.uniform(keys[0], (self.length, batch))
        first = jax.random.randint(keys[1], (batch,), 0, half)
        second = jax.random.randint(keys[2], (batch,), half, self.length)
        time = jnp.arange(self.length)[:, None]
        marks = ((time == first) | (time == second)).astype(numbers.dtype)
        return jnp.stack([numbers, marks], axis=-1), jnp.sum(numbers * marks, axis=0)

    def loss(self, scores: Float[Array, "time batch outputs"], targets: Float[Array, " batch"]) -> Float[Array, ""]:
        """Mean square error of the last answer."""
        return jnp.mean(jnp.square(scores[-1, :, 0] - targets))

    def score(self, scores: Float[Array, "time batch outputs"], targets: Float[Array, " batch"]) -> Float[Array, ""]:
        """R2: one minus the loss over that of the trivial answer."""
        return 1.0 - self.loss(scores, targets) / self.trivial
