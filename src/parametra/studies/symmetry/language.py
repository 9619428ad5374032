"""Stage language: LSTM language models with symmetric gates, beside free ones as wide, of equal parameters and of equal time."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from parametra.learn import EpochRecord, cross_entropy, fit
from parametra.learn.datasets import Text, columns, load_text
from parametra.networks import LanguageModel
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.symmetry.config import LanguageConfig, SymmetryConfig
from parametra.studies.symmetry.contest import PARAMETERS, TIME, WIDTH, Cell, Contest, interval
from parametra.studies.symmetry.counting import parameters, word_flops
from parametra.studies.symmetry.schemes import language_model

LONG = 200  # words of one compiled piece where nothing is learnt


def run_language(run: Run) -> dict[str, Any]:
    """Trains everything, writes curves and rivals; ratios of test perplexities with intervals over seeds."""
    config: SymmetryConfig = run.config
    if not config.language.widths:
        return {"metrics": []}
    text = text_of(config)
    contest = Contest(
        run, "language", config.language.widths, config.language.schemes, config.language.seeds, config.language.recipe.epochs,
        lru_cache(lambda cell: parameters(_shapes(config.language, text, cell))), trainer(run, text), step=1,
    )  # fmt: skip
    rivals = contest.hold()
    contest.write(rivals, lambda cell: word_flops(_shapes(config.language, text, cell)))
    return {"metrics": _rows(config, contest, rivals, text), "data": _words(text)}


def check_language(config: SymmetryConfig) -> None:
    """UsageError or DataError where the text of the configuration cannot be had, or is too short for its columns."""
    if config.language.widths:
        columns(text_of(config).train, config.language.columns)


def text_of(config: SymmetryConfig) -> Text:
    """The text of the configuration, as many training words as it says."""
    data = config.data
    found = load_text(data.text, data.folder, source=data.source, unit=data.unit, least=data.least, limit=data.vocabulary)
    count = data.train_words or len(found.train)
    return Text(found.title, found.train[:count], found.valid, found.test, found.vocabulary, found.unit)


def with_key(batch: Any, key: PRNGKeyArray) -> Any:
    """The batch and a key for dropout: a training batch has one, others have none."""
    return *batch, key


def loss(model: LanguageModel, batch: Any, states: Any) -> tuple[Array, Any]:
    """Mean cross-entropy of the next words, and the states after them."""
    words, following, *key = batch
    scores, states = model(words, states, key[0] if key else None)
    return cross_entropy(scores, following), states


def trainer(run: Run, text: Text) -> Callable[[Cell, int, Callable[[EpochRecord, float], None]], None]:
    """A function that trains one model and tells the perplexity of the test text after every epoch."""
    config: SymmetryConfig = run.config
    settings = config.language
    data = columns(text.train, settings.columns)
    words, following = columns(text.test, min(settings.columns, max(1, len(text.test) // 2)))
    length = min(LONG, len(words))
    pieces = [slice(start, start + length) for start in range(0, len(words) - length + 1, length)]
    judge = eqx.filter_jit(loss)
    make = lru_cache(lambda cell: eqx.filter_jit(_maker(settings, text, cell)))  # one compiled call for all seeds

    def train(cell: Cell, seed: int, told: Callable[[EpochRecord, float], None]) -> None:
        key = jax.random.fold_in(jax.random.key(config.seed), 1000 + seed)
        model = make(cell)(key)

        def on_epoch(record: EpochRecord, model: LanguageModel) -> None:
            states, total = model.start(words.shape[1]), []
            for piece in pieces:
                value, states = judge(model, (jnp.asarray(words[piece]), jnp.asarray(following[piece])), states)
                total.append(float(value))
            told(record, float(np.exp(np.mean(total))))

        path = run.folder.checkpoint(f"language {cell.name} {seed}".replace(" ", "_")) if settings.checkpoints else None
        fit(
            model, loss, data, settings.recipe, jax.random.fold_in(key, 1), augment=with_key,
            carried=model.start(settings.columns), on_epoch=on_epoch, resume_path=path,
        )  # fmt: skip

    return train


def _shapes(settings: LanguageConfig, text: Text, cell: Cell) -> Any:
    return eqx.filter_eval_shape(_maker(settings, text, cell), jax.random.key(0))


def _maker(settings: LanguageConfig, text: Text, cell: Cell) -> Callable[[PRNGKeyArray], Any]:
    return partial(language_model, settings, cell.width, cell.scheme, len(text.vocabulary))


def _rows(config: SymmetryConfig, contest: Contest, rivals: dict[tuple[Cell, str], Cell], text: Text) -> list[Metric]:
    rows, largest = [], max(config.language.widths)
    source = f"{_words(text)}; {contest.seeds} seeds, 95 % interval of paired ratios; last epoch"
    targets = {WIDTH: 1.02, PARAMETERS: 1.0, TIME: None}
    for (cell, kind), rival in rivals.items():
        logs = np.log(contest.scores(cell)[:, -1]) - np.log(contest.scores(rival)[:, -1])
        mean, low, high = (float(np.exp(value)) for value in interval(logs))
        judged = config.judged and cell.width == largest and cell.scheme == "symmetric, hidden"
        rows.append(
            Metric(
                f"language, {cell.name}: perplexity over that of dense {rival.width}, {kind} ({low:.3f} to {high:.3f})",
                mean, "1", targets[kind] if judged else None, "lower", "skill", source,
            )
        )  # fmt: skip
    for cell in contest.cells():
        value = float(contest.scores(cell)[:, -1].mean())
        rows.append(Metric(f"language, {cell.name}: test perplexity", value, "1", kind="skill", source=source))
        name = f"language, {cell.name}: seconds of an epoch"
        rows.append(Metric(name, contest.seconds(cell), "s", kind="cost"))
    return rows


def _words(text: Text) -> str:
    kind = f"{text.unit}s"
    return f"{text.title}, {len(text.train)} training and {len(text.test)} test {kind}, vocabulary of {len(text.vocabulary)}"
