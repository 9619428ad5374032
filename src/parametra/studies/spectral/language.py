"""Stage language: the next word of a text, by recurrent networks of every kind and equal width."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr
from jaxtyping import Array, Float, Int, PRNGKeyArray

from parametra.core.errors import DataError
from parametra.learn.datasets import Text, columns, load_text
from parametra.networks.size import count_parameters
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.spectral import images, networks, parts
from parametra.studies.spectral.config import CellConfig, SpectralConfig, TextConfig
from parametra.studies.spectral.training import Record, Trainer, adam

Found = dict[tuple[str, int], dict[str, Any]]
STREAMS = 16  # columns of the test text


class WordNetwork(eqx.Module):
    """Scores of the next word: an embedding, a recurrent network, and the embedding again as the matrix of the scores.

    Attributes:
        embedding: a row for each word (words, width).
        recurrent: rows to rows.
        bias: (words,).
    """

    embedding: Float[Array, "words width"]
    recurrent: networks.RecurrentNetwork
    bias: Float[Array, " words"]

    @classmethod
    def init(cls, name: str, key: PRNGKeyArray, config: CellConfig, words: int) -> "WordNetwork":
        """A network by the name of its cell; the embedding is uniform in ± 0.1."""
        keys = jax.random.split(key)
        embedding = jax.random.uniform(keys[0], (words, config.width), minval=-0.1, maxval=0.1)
        return cls(embedding, networks.make(name, keys[1], config, config.width, config.width), jnp.zeros(words))

    def __call__(self, words: Int[Array, "time batch"]) -> Float[Array, "time batch words"]:
        """Scores before the softmax, from the state zero on."""
        return self.recurrent(self.embedding[words]) @ self.embedding.T + self.bias


def load(config: SpectralConfig) -> Text:
    """The text that the configuration names; raises as `load_text` does."""
    data, own = config.data, config.language
    return load_text(data.text, data.folder, source=data.source, least=own.least, limit=own.words)


def check(config: SpectralConfig) -> None:
    """Raises as `load` does, and a DataError for a text shorter than a window, or than the columns of the test."""
    text, own = load(config), config.language
    trained = len(text.train[: own.tokens or None])
    if trained <= own.length:
        raise DataError(
            f"{text.title} has {trained} words to train on, too few for windows of {own.length}. Remedy: a longer text, or a "
            "smaller language.length."
        )
    columns(text.valid, STREAMS)


def run_language(run: Run) -> dict[str, Any]:
    """Trains every kind of network on windows of the text; perplexity of the validation part."""
    config, text = run.config.language, load(run.config)
    found: Found = {}
    total = len(config.networks) * config.seeds
    for name in config.networks:
        model = Model(config, text, name)
        for seed in range(config.seeds):
            told = functools.partial(_tell, run, len(found) / total, 1 / (total * model.steps), name)
            make = functools.partial(model.run, run.config.seed + seed, told)
            found[name, seed] = parts.kept(run.folder, f"language-{name}-{seed}", make)
    write_fields(run.folder.fields("language"), table(config, found))
    return {"metrics": metrics(config, text, found)}


def _tell(run: Run, share: float, of_step: float, name: str, record: Record) -> None:
    run.progress.update("language", share + of_step * record.step[-1], network=name, perplexity=float(np.exp(-record.score[-1])))


class Model:
    """One kind of network on the text; compiled when it is first run."""

    def __init__(self, config: TextConfig, text: Text, name: str):
        words, self.config = len(text.vocabulary), config
        self.make = eqx.filter_jit(lambda key: WordNetwork.init(name, key, config.cell, words))
        self.train = jnp.asarray(text.train[: config.tokens or None])
        self.test = tuple(jnp.asarray(part) for part in columns(text.valid, STREAMS))
        steps = config.epochs * len(self.train) / (config.batch * config.length)
        self.every = max(1, round(steps / config.records))
        self.steps = self.every * config.records

    @functools.cached_property
    def trainer(self) -> Trainer:
        """The compiled training."""
        length, batch = self.config.length, self.config.batch

        def draw(data: Array, key: PRNGKeyArray) -> tuple[Array, Array]:
            starts = jax.random.randint(key, (batch,), 0, len(data) - length)
            window = data[starts + jnp.arange(length + 1)[:, None]]
            return window[:-1], window[1:]

        loss = lambda model, batch: images.entropy(model(batch[0]), batch[1])
        schedule = optax.cosine_decay_schedule(self.config.rate, self.steps)
        return Trainer(
            self.make(jax.random.key(0)),
            draw,
            loss,
            lambda model, batch: -loss(model, batch),
            adam(schedule, self.config.clip),
            self.every,
            self.train,
            self.test,
        )

    def run(self, seed: int, tell: Any) -> dict[str, Any]:
        """Trains one network."""
        keys = jax.random.split(jax.random.key(seed), 2)
        model = self.make(keys[0])
        _, record = self.trainer.run(model, keys[1], self.steps, on_record=lambda record, model: tell(record))
        return parts.summary(record, self.every, model) | {"recurrent": count_parameters(model.recurrent)}


def metrics(config: TextConfig, text: Text, found: Found) -> list[Metric]:
    """Perplexity of every network on the validation part."""
    rows = []
    for name in config.networks:
        mine = [found[name, seed] for seed in range(config.seeds)]
        source = (
            f"{text.title}, {len(text.vocabulary)} words, {mine[0]['recurrent']} free numbers beside embedding and bias, "
            f"{config.seeds} seed(s)"
        )
        value = float(np.mean([np.exp(-row["score"][-1]) for row in mine]))
        rows.append(Metric(f"words: {name}, validation perplexity", value, "1", kind="skill", source=source))
    return rows


def table(config: TextConfig, found: Found) -> xr.Dataset:
    """Records (network, seed, record)."""
    shape, dims = (len(config.networks), config.seeds, -1), ("network", "seed", "record")
    values = {
        name: (dims, parts.padded([row[name] for row in found.values()]).reshape(shape), {"units": unit})
        for name, unit in (("loss", "1"), ("score", "1"), ("step", "1"), ("seconds", "s"))
    }
    return xr.Dataset(values, {"network": list(config.networks), "seed": np.arange(config.seeds)})
