"""Steps of the optimiser on batches drawn inside one compiled call, timed without compilation.

Unlike `parametra.learn.fit`, which goes through given samples in epochs, this loop draws without end, stops at a goal, and keeps
the time that a network spent to get there.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, PRNGKeyArray


@dataclass
class Record:
    """What a training did.

    Attributes:
        loss: of every step.
        step: after which a score was taken; the first is 0.
        seconds: wall time of the training up to there, compilation and scoring left out.
        cpu: processor time of the same, all cores added: what others do on the machine hardly changes it.
        score: what was taken.
    """

    loss: list[float] = field(default_factory=list)
    step: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    score: list[float] = field(default_factory=list)

    def reached(self, goal: float | int) -> int | None:
        """Number of the first record from which on all scores are at least `goal`."""
        below = [number for number, value in enumerate(self.score) if not value >= goal]
        first = below[-1] + 1 if below else 0
        return first if first < len(self.score) else None


class Trainer:
    """One kind of network on one task, compiled once and run from several seeds.

    Args:
        model: a network of the kind; its floating-point arrays are trained, in any network handed to `run`.
        draw: a batch from `data` and a key.
        loss: of a model and a batch.
        score: of a model and `test`.
        optimiser: of optax.
        every: steps between two scores, one compiled call.
        data: what `draw` draws from.
        test: a batch that is not trained on.
    """

    def __init__(
        self, model: Any, draw: Callable[[Any, PRNGKeyArray], Any], loss: Callable[[Any, Any], Array],
        score: Callable[[Any, Any], Array], optimiser: optax.GradientTransformation, every: int, data: Any, test: Any,
    ):  # fmt: skip
        params, static = eqx.partition(model, eqx.is_inexact_array)
        self.optimiser, self.every, self.data, self.test, self.static = optimiser, every, data, test, static

        def chunk(params: Any, state: Any, data: Any, key: PRNGKeyArray, first: Array) -> tuple[Any, Any, Array]:
            def step(carry: tuple[Any, Any], number: Array) -> tuple[tuple[Any, Any], Array]:
                params, state = carry
                batch = draw(data, jax.random.fold_in(key, number))
                value, gradient = jax.value_and_grad(lambda params: loss(eqx.combine(params, static), batch))(params)
                updates, state = optimiser.update(gradient, state, params)
                return (optax.apply_updates(params, updates), state), value

            (params, state), losses = jax.lax.scan(step, (params, state), first + jnp.arange(every))
            return params, state, losses

        start = params, optimiser.init(params), data, jax.random.key(0), jnp.asarray(0)
        self.chunk = jax.jit(chunk, donate_argnums=(0, 1)).lower(*start).compile()
        self.score = jax.jit(lambda params, test: score(eqx.combine(params, static), test)).lower(params, test).compile()

    def run(
        self,
        model: Any,
        key: PRNGKeyArray,
        steps: int,
        stop: Callable[[Record], bool] = lambda record: False,
        on_record: Callable[[Record, Any], None] = lambda record, model: None,
    ) -> tuple[Any, Record]:
        """Train for at most `steps`, in whole groups of `every`; `stop` is asked and `on_record` told after every score.

        A network whose loss is no longer finite stays as it is, and its record ends there.
        """
        params = jax.tree.map(jnp.array, eqx.filter(model, eqx.is_inexact_array))  # donated below: the caller keeps its own
        state, record, seconds, cpu = self.optimiser.init(params), Record(), 0.0, 0.0
        for first in range(0, steps + self.every, self.every):
            record.step.append(first)
            record.seconds.append(seconds)
            record.cpu.append(cpu)
            record.score.append(float(self.score(params, self.test)))
            on_record(record, eqx.combine(params, self.static))
            if first + self.every > steps or stop(record):
                break
            began, used = time.perf_counter(), time.process_time()
            params, state, losses = self.chunk(params, state, self.data, key, jnp.asarray(first))
            record.loss += np.asarray(losses).tolist()
            seconds += time.perf_counter() - began
            cpu += time.process_time() - used
            if not np.isfinite(record.loss[-1]):
                break
        return eqx.combine(params, self.static), record


def adam(rate: float | optax.Schedule, clip: float) -> optax.GradientTransformation:
    """Adam after a bound on the norm of the whole gradient."""
    return optax.chain(optax.clip_by_global_norm(clip), optax.adam(rate))
