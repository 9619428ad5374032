"""Stage throughput: images a second in training, a network with a symmetry and its free original in turn in one process."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import PRNGKeyArray

from parametra.learn import RecipeConfig, cross_entropy, make_optimiser
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.symmetry.config import ImagesConfig, SymmetryConfig
from parametra.studies.symmetry.counting import image_flops
from parametra.studies.symmetry.schemes import DENSE, image_network

CLASSES = 10
RECIPE = RecipeConfig(optimiser="sgd", momentum=0.9, weight_decay=5e-4, learning_rate=0.1, schedule="constant")


def run_throughput(run: Run) -> dict[str, Any]:
    """Steps of both networks at every width, gradient and optimiser included; the shortest of each counts."""
    config: SymmetryConfig = run.config
    settings = config.throughput
    if not settings.widths:
        return {"metrics": []}
    speed, flops, rows = np.zeros((len(settings.widths), 2)), np.zeros((len(settings.widths), 2)), []
    schemes = (DENSE, settings.scheme)
    for i, width in enumerate(settings.widths):
        run.progress.update("throughput", i / len(settings.widths), width=width)
        steps = [step_of(config.images, width, scheme, settings.side, settings.batch) for scheme in schemes]
        best = [float("inf")] * 2
        for _ in range(settings.repeats):
            for which, step in enumerate(steps):
                started = time.perf_counter()
                jax.block_until_ready(step())
                best[which] = min(best[which], time.perf_counter() - started)
        speed[i] = settings.batch / np.array(best)
        shape = (settings.side, settings.side, 3)
        flops[i] = [image_flops(_network(config.images, width, scheme), shape) for scheme in schemes]
        rows += [
            Metric(f"throughput, {scheme} {width}: images a second", float(value), "s-1", kind="cost")
            for scheme, value in zip(schemes, speed[i], strict=True)
        ]
    dims = ("width", "scheme")
    table = xr.Dataset(
        {"images_per_second": (dims, speed, {"units": "s-1"}), "flops": (dims, flops, {"units": "1"})},
        {"width": np.array(settings.widths, np.float64), "scheme": list(schemes)},
    )
    write_fields(run.folder.fields("throughput"), table)
    source = (
        f"WRN-{config.images.depth}, {settings.side} x {settings.side} pixels, batch {settings.batch}, in turn in one process"
    )
    judged = config.judged and settings.scheme == "hadamard-4"
    ratios = [
        Metric(
            f"throughput, {settings.scheme} {width}: times faster in training than its free original", float(pair[1] / pair[0]),
            "1", 2.0 if judged and width == max(settings.widths) else None, "higher", "cost", source,
        )
        for width, pair in zip(settings.widths, speed, strict=True)
    ]  # fmt: skip
    return {"metrics": [*ratios, *rows]}


def _network(settings: ImagesConfig, width: int, scheme: str) -> Any:
    return eqx.filter_eval_shape(_maker(settings, width, scheme), jax.random.key(0))


def _maker(settings: ImagesConfig, width: int, scheme: str) -> Callable[[PRNGKeyArray], Any]:
    return partial(image_network, settings, width, scheme, 3, CLASSES)


def step_of(settings: ImagesConfig, width: int, scheme: str, side: int, batch: int) -> Any:
    """A compiled training step, already run once, that one calls again and again."""
    network = eqx.filter_jit(_maker(settings, width, scheme))(jax.random.key(0))
    params, static = eqx.partition(network, eqx.is_inexact_array)
    optimiser = make_optimiser(RECIPE, 1)
    images = jax.random.normal(jax.random.key(1), (batch, side, side, 3))
    labels = jnp.arange(batch) % CLASSES

    @jax.jit
    def advance(params: Any, state: Any) -> Any:
        gradient = jax.grad(lambda p: cross_entropy(eqx.combine(p, static)(images), labels))(params)
        updates, state = optimiser.update(gradient, state, params)
        return eqx.apply_updates(params, updates), state

    state = optimiser.init(params)
    jax.block_until_ready(advance(params, state))
    return lambda: advance(params, state)
