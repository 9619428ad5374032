"""Ratios that survive a busy machine: all candidates in one process, in turn, the best of each.

A process that is held to one CPU (`taskset -c 1 ...`) is timed by the processor time that it took, which other programs do not
lengthen; any other by the wall.
"""

import os
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

Job = Callable[[], Any]


def cpus() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def best_seconds(jobs: dict[str, Job], repeats: int) -> dict[str, float]:
    """The shortest time of each job, repetitions of all jobs in turn, after one warm-up of each."""
    clock = time.process_time if cpus() == 1 else time.perf_counter
    best = {name: float("inf") for name in jobs}
    for job in jobs.values():
        jax.block_until_ready(job())
    for _ in range(repeats):
        for name, job in jobs.items():
            started = clock()
            jax.block_until_ready(job())
            best[name] = min(best[name], clock() - started)
    return best


def forward(function: Callable[[Any, Array], Array], weight: Any, x: Array) -> Job:
    """A compiled call."""
    call = eqx.filter_jit(function)
    return lambda: call(weight, x)


def both_ways(function: Callable[[Any, Array], Array], weight: Any, x: Array) -> Job:
    """A compiled value and its gradient with respect to weight and input, for a cotangent that no compiler can guess."""
    cotangent = jax.random.normal(jax.random.key(7), jax.eval_shape(lambda w, v: function(w, v), weight, x).shape)

    @eqx.filter_jit
    def call(weight: Any, x: Array, cotangent: Array) -> Any:
        return jax.value_and_grad(lambda w, v: jnp.vdot(function(w, v), cotangent), (0, 1))(weight, x)

    return lambda: call(weight, x, cotangent)
