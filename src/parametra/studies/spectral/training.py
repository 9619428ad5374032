"""Steps of Adam on batches drawn afresh: many of them in one compiled call, timed without compilation."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, PRNGKeyArray

Model = TypeVar("Model")
Draw = Callable[[PRNGKeyArray], Any]
Loss = Callable[[Any, Any], Array]


@dataclass
class Record:
    """What a training did.

    Attributes:
        loss: of every step.
        step: after which a score was taken; the first is 0.
        seconds: wall time of the training up to there, compilation and scoring left out.
        cpu_seconds: the same of this process's processors, which another program does not lengthen.
        score: what was taken.
    """

    loss: list[float] = field(default_factory=list)
    step: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    score: list[float] = field(default_factory=list)

    def reached(self, score: float | int) -> int | None:
        """Number of the first record from which on all scores are at least `score`."""
        below = [number for number, value in enumerate(self.score) if not value >= score]
        first = below[-1] + 1 if below else 0
        return first if first < len(self.score) else None


def train(
    model: Model,
    draw: Draw,
    loss: Loss,
    score: Callable[[Any, Any], Array],
    key: PRNGKeyArray,
    optimiser: optax.GradientTransformation,
    steps: int,
    every: int,
    test: Any,
    stop: Callable[[Record], bool] = lambda record: False,
    on_record: Callable[[Record, Any], None] = lambda record, model: None,
) -> tuple[Model, Record]:
    """Train for at most `steps`, with a score on `test` every so many.

    Args:
        model: an Equinox module; its floating-point arrays are trained.
        draw: a batch from a key, inside the compiled call.
        loss: of a model and a batch.
        score: of a model and `test`.
        key: decides the batches.
        optimiser: of optax.
        steps: at most so many, in whole groups of `every`.
        every: steps between two scores, one compiled call.
        test: a batch that is not trained on.
        stop: asked after every score.
        on_record: told after every score.

    Returns:
        the trained model and its record.
    """
    params, static = eqx.partition(model, eqx.is_inexact_array)

    def step(carry: tuple[Any, Any], number: Array) -> tuple[tuple[Any, Any], Array]:
        params, state = carry
        batch = draw(jax.random.fold_in(key, number))
        value, gradient = jax.value_and_grad(lambda params: loss(eqx.combine(params, static), batch))(params)
        updates, state = optimiser.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), value

    def chunk(params: Any, state: Any, first: Array) -> tuple[Any, Any, Array]:
        (params, state), losses = jax.lax.scan(step, (params, state), first + jnp.arange(every))
        return params, state, losses

    params = jax.tree.map(jnp.array, params)  # donated below: the caller keeps its own
    state, begun = optimiser.init(params), jnp.asarray(0)
    compiled = jax.jit(chunk, donate_argnums=(0, 1)).lower(params, state, begun).compile()
    scored = jax.jit(lambda params: score(eqx.combine(params, static), test)).lower(params).compile()
    record, seconds, cpu = Record(), 0.0, 0.0
    for first in range(0, steps + every, every):
        record.step.append(first)
        record.seconds.append(seconds)
        record.cpu_seconds.append(cpu)
        record.score.append(float(scored(params)))
        on_record(record, eqx.combine(params, static))
        if first + every > steps or stop(record):
            break
        wall, process = time.perf_counter(), time.process_time()
        params, state, losses = compiled(params, state, jnp.asarray(first))
        record.loss += np.asarray(losses).tolist()
        seconds += time.perf_counter() - wall
        cpu += time.process_time() - process
        if not np.isfinite(record.loss[-1]):
            break  # a network that blew up stays as it is: its record ends here
    return eqx.combine(params, static), record


def adam(rate: float, clip: float) -> optax.GradientTransformation:
    """Adam after a bound on the norm of the whole gradient."""
    return optax.chain(optax.clip_by_global_norm(clip), optax.adam(rate))
