"""A word-level language model: embedding, recurrent layers, softmax over the vocabulary.

Source: the LSTM of 650 units and two layers that Zaremba, Sutskever & Vinyals (2014, arXiv 1409.2329) call medium, with the plain
initialisation of the word model that Hu, Zagoruyko & Komodakis (2018) train with symmetric gates.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.networks.linear import Linear
from parametra.networks.recurrent import LSTMCell
from parametra.weights import Dense

States = tuple[tuple[Array, Array], ...]


class LanguageModel(eqx.Module):
    """Scores of the next word at every time.

    Attributes:
        embedding: a row for each word (words, width).
        cells: recurrent layers, first to last.
        decoder: width to words; None if tied, when the embedding serves as its matrix.
        bias: (words,) of a tied decoder, else None.
        dropout: probability of dropping an activation between layers while training.
    """

    embedding: Float[Array, "words width"]
    cells: tuple[LSTMCell, ...]
    decoder: Linear | None
    bias: Float[Array, " words"] | None
    dropout: float = eqx.field(static=True, default=0.5)

    @classmethod
    def init(
        cls, key: PRNGKeyArray, words: int, width: int = 650, layers: int = 2, tied: bool = False, dropout: float = 0.5
    ) -> "LanguageModel":
        """Embedding and decoder uniform in ± 0.1, zero bias; UsageError for sizes below 1 or a dropout out of [0, 1)."""
        if min(words, width, layers) < 1 or not 0 <= dropout < 1:
            raise UsageError(
                f"A language model needs words, width and layers of at least 1 and a dropout in [0, 1), got {words}, {width}, "
                f"{layers} and {dropout}."
            )
        keys = jax.random.split(key, layers + 2)
        embedding, matrix = (jax.random.uniform(k, (words, width), minval=-0.1, maxval=0.1) for k in keys[:2])
        cells = tuple(LSTMCell.init(k, width, width) for k in keys[2:])
        zeros = jnp.zeros(words)
        return cls(embedding, cells, None if tied else Linear(Dense(matrix), zeros), zeros if tied else None, float(dropout))

    def start(self, batch: int) -> States:
        """Zero states of all layers."""
        return tuple(cell.start((batch,)) for cell in self.cells)

    def __call__(
        self, words: Int[Array, "time batch"], states: States | None = None, key: PRNGKeyArray | None = None
    ) -> tuple[Float[Array, "time batch words"], States]:
        """Scores before the softmax, and the last states; with a `key`, dropout is on."""
        x = self._drop(self.embedding[words], key, 0)
        last = []
        for layer, cell in enumerate(self.cells):
            x, state = cell.run(x, None if states is None else states[layer])
            x, last = self._drop(x, key, layer + 1), [*last, state]
        tied = self.decoder is None
        scores = x @ self.embedding.T + self.bias if tied else self.decoder(x)  # pyright: ignore
        return scores, tuple(last)

    def loss(
        self, words: Int[Array, "time_and_one batch"], states: States | None = None, key: PRNGKeyArray | None = None
    ) -> tuple[Float[Array, ""], States]:
        """Mean cross-entropy of each word given those before it [nats], its exponential the perplexity; and the last states."""
        scores, last = self(words[:-1], states, key)
        chosen = jnp.take_along_axis(scores, words[1:, :, None], axis=-1)[..., 0]
        return jnp.mean(jax.nn.logsumexp(scores, axis=-1) - chosen), last

    def _drop(self, x: Array, key: PRNGKeyArray | None, layer: int) -> Array:
        if key is None or self.dropout == 0:
            return x
        keep = jax.random.bernoulli(jax.random.fold_in(key, layer), 1 - self.dropout, x.shape)
        return jnp.where(keep, x / (1 - self.dropout), 0)
