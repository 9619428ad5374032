"""From columns of truth to an emulator."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from parametra.climate.emulator.config import EmulatorConfig
from parametra.climate.emulator.dataset import ColumnDataset
from parametra.climate.emulator.emulator import Emulator
from parametra.climate.emulator.invariant import view_vectors
from parametra.climate.emulator.limits import Limits
from parametra.climate.emulator.linear import linear_regression
from parametra.climate.emulator.scaling import InputScaling, input_scaling
from parametra.climate.emulator.vectors import INPUTS, OUTPUTS, mirror_signs, size
from parametra.core.errors import UsageError
from parametra.learn import EpochRecord, FitProgress, History, fit, fit_many, mean_squared_error
from parametra.networks import MLP, Linear

BLOCK = 65536


def train(
    data: ColumnDataset,
    config: EmulatorConfig,
    sigma_half: tuple[float, ...],
    time_step: float,
    seed: int,
    *,
    selection: ColumnDataset | None = None,
    on_chunk: Callable[[FitProgress], None] | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    resume_path: Path | None = None,
) -> tuple[Emulator, History]:
    """An emulator fitted to `data` by the mean squared error of its network, limits and conservation left out of the loss.

    Args:
        data: the training stretch.
        config: network, norm, options and training.
        sigma_half: interfaces of the host's layers, 0 to 1.
        time_step: of the host [s].
        seed: decides the initial weights and the order of the samples.
        selection: a stretch whose loss is recorded after each epoch.
        on_chunk: told after every compiled call, as in `parametra.learn.fit`.
        on_epoch: told after every epoch.
        resume_path: folder for checkpoints.

    Raises:
        DataError, UsageError: as `input_scaling` and `parametra.learn.fit`; or levels that differ.
    """
    scaling, arrays, augment, chosen = _prepare(data, selection, config, sigma_half)
    network, order = _initial(config, data.levels, seed)
    tell = None if on_epoch is None else (lambda record, _: on_epoch(record))
    network, history = fit(
        network, mean_squared_error, arrays, config.fit, order,
        selection=chosen, augment=augment, on_chunk=on_chunk, on_epoch=tell, resume_path=resume_path,
    )  # fmt: skip
    return _assemble(network, scaling, config, sigma_half, time_step), history


def train_many(
    data: ColumnDataset,
    config: EmulatorConfig,
    sigma_half: tuple[float, ...],
    time_step: float,
    seeds: Sequence[int],
    *,
    selection: ColumnDataset | None = None,
    on_chunk: Callable[[FitProgress], None] | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    resume_path: Path | None = None,
) -> tuple[list[Emulator], list[History]]:
    """`train` for several seeds side by side. On a CPU it takes as long as one after the other; on a GPU small networks gain."""
    scaling, arrays, augment, chosen = _prepare(data, selection, config, sigma_half)
    networks, orders = zip(*(_initial(config, data.levels, seed) for seed in seeds), strict=True)
    tell = None if on_epoch is None else (lambda record, _: on_epoch(record))
    networks, histories = fit_many(
        networks, mean_squared_error, arrays, config.fit, orders,
        selection=chosen, augment=augment, on_chunk=on_chunk, on_epoch=tell, resume_path=resume_path,
    )  # fmt: skip
    return [_assemble(network, scaling, config, sigma_half, time_step) for network in networks], histories


def train_linear(data: ColumnDataset, config: EmulatorConfig, sigma_half: tuple[float, ...], time_step: float) -> Emulator:
    """Linear regression with the norm, limits and options of `config`: the same interface, so it can run as a closure."""
    scaling, (seen, targets), _, _ = _prepare(data, None, config, sigma_half)
    regression = linear_regression(seen, targets, prepare=lambda block: _features(scaling, block))
    return _assemble(regression, scaling, config, sigma_half, time_step)


def _prepare(
    data: ColumnDataset, selection: ColumnDataset | None, config: EmulatorConfig, sigma_half: tuple[float, ...]
) -> tuple[InputScaling, tuple[np.ndarray, np.ndarray], "_Augment", tuple[np.ndarray, np.ndarray] | None]:
    """Scaling, the training stretch unscaled, what scales its batches, and the selection stretch scaled."""
    for part in (data, selection):
        if part is not None and part.levels != len(sigma_half) - 1:
            raise UsageError(f"The data have {part.levels} levels, sigma_half {len(sigma_half) - 1}. Remedy: those of the host.")
    seen = view_vectors(config.inputs, data.inputs, sigma_half)
    scaling = input_scaling(seen, data.levels, config.norm, config.mirror)
    chosen = None
    if selection is not None:
        chosen = _features(scaling, view_vectors(config.inputs, selection.inputs, sigma_half)), selection.targets
    mean, scale = (tuple(np.asarray(values).tolist()) for values in (scaling.mean, scaling.scale))
    return scaling, (seen, data.targets), _Augment(mean, scale, data.levels if config.mirror else 0), chosen


@dataclass(frozen=True)
class _Augment:
    """Scales a batch, since a scaled copy of all samples would not fit beside them; then shows half of its columns in a mirror.

    Two equal ones share one compilation.

    Attributes:
        mean, scale: of the inputs, (3n + 4,).
        mirror: n where columns are mirrored, drawn anew each time; 0 for never.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    mirror: int

    def __call__(self, batch: Any, key: jax.Array) -> Any:
        inputs, targets = batch
        # a compiler turns division by a constant into a product, which rounds otherwise; a divisor from the data it leaves alone
        scale = jnp.where(jnp.isnan(inputs), jnp.nan, jnp.asarray(self.scale, jnp.float32))
        features = (inputs - jnp.asarray(self.mean, jnp.float32)) / scale
        if not self.mirror:
            return features, targets
        mirrored = jax.random.bernoulli(key, shape=(len(features), 1))
        return jnp.where(mirrored, features * jnp.asarray(mirror_signs(self.mirror)), features), targets


def _features(scaling: InputScaling, inputs: Float[np.ndarray, "sample inputs"]) -> Float[np.ndarray, "sample inputs"]:
    """As `scaling` gives them, in blocks, so that the memory of the whole is taken once."""
    features = np.empty_like(inputs)
    mean, scale = np.asarray(scaling.mean), np.asarray(scaling.scale)
    for start in range(0, len(inputs), BLOCK):
        part = slice(start, start + BLOCK)
        features[part] = (inputs[part] - mean) / scale
    return features


def _initial(config: EmulatorConfig, levels: int, seed: int) -> tuple[MLP, jax.Array]:
    weights, order = jax.random.split(jax.random.key(seed))
    hidden = (config.width,) * config.depth
    return MLP.init(weights, size(INPUTS, levels), size(OUTPUTS, levels), hidden, config.activation), order


def _assemble(
    network: MLP | Linear, scaling: InputScaling, config: EmulatorConfig, sigma_half: tuple[float, ...], time_step: float
) -> Emulator:
    return Emulator(
        scaling, network, tuple(float(s) for s in sigma_half), float(time_step),
        Limits(config.dry_levels), config.conservation, config.clip, config.inputs,
    )  # fmt: skip
