"""From columns of truth to an emulator."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from parametra.climate.emulator.config import EmulatorConfig
from parametra.climate.emulator.dataset import ColumnDataset
from parametra.climate.emulator.emulator import Emulator
from parametra.climate.emulator.growth import mean_moisture, without_growth
from parametra.climate.emulator.invariant import view_vectors
from parametra.climate.emulator.limits import Limits
from parametra.climate.emulator.linear import linear_regression
from parametra.climate.emulator.rollout import Mirror, RolloutLoss, windows
from parametra.climate.emulator.scaling import InputScaling, input_scaling
from parametra.climate.emulator.vectors import INPUTS, OUTPUTS, mirror_signs, size
from parametra.core.errors import UsageError
from parametra.learn import EpochRecord, FitProgress, History, fit_many, mean_squared_error
from parametra.learn.arrays import aligned
from parametra.learn.config import RecipeConfig
from parametra.networks import MLP, Linear

BLOCK = 65536
ROLLOUT_COST = 3.0  # of a column in a rollout, in columns of single steps; for progress only
OnChunk = Callable[[FitProgress], None] | None
OnEpoch = Callable[[EpochRecord, Any], None] | None


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

    With `config.rollout` it then goes on by the loss of rollouts of single columns, limits and conservation in it; the epochs of
    that part follow in the history, with losses of their own kind.

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
    one = None if on_epoch is None else (lambda record, _: on_epoch(record))
    emulators, histories = _train(
        data, config, sigma_half, time_step, [seed], selection, on_chunk, one, resume_path
    )  # fmt: skip
    return emulators[0], histories[0]


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
    each = None if on_epoch is None else (lambda record, _: on_epoch(record))
    return _train(data, config, sigma_half, time_step, seeds, selection, on_chunk, each, resume_path)


def train_linear(data: ColumnDataset, config: EmulatorConfig, sigma_half: tuple[float, ...], time_step: float) -> Emulator:
    """Linear regression with the norm, limits and options of `config`: the same interface, so it can run as a closure."""
    prepared = _prepare(data, None, config, sigma_half)
    regression = linear_regression(*prepared.arrays, prepare=lambda block: _features(prepared.scaling, block))
    return _assemble(regression, prepared, config, sigma_half, time_step)


def _train(
    data: ColumnDataset, config: EmulatorConfig, sigma_half: tuple[float, ...], time_step: float, seeds: Sequence[int],
    selection: ColumnDataset | None, on_chunk: OnChunk, on_epoch: OnEpoch, resume_path: Path | None,
) -> tuple[list[Emulator], list[History]]:  # fmt: skip
    """Single steps first, then rollouts if there are any."""
    prepared = _prepare(data, selection, config, sigma_half)
    networks, orders = zip(*(_initial(config, data.levels, seed) for seed in seeds), strict=True)
    single = config.fit.epochs / (config.fit.epochs + (ROLLOUT_COST * config.rollout.epochs if config.rollout.steps else 0))
    networks, histories = fit_many(
        networks, mean_squared_error, prepared.arrays, config.fit, orders,
        selection=prepared.chosen, augment=prepared.augment, on_chunk=_part(on_chunk, 0.0, single, 0), on_epoch=on_epoch,
        resume_path=resume_path,
    )  # fmt: skip
    emulators = [_assemble(network, prepared, config, sigma_half, time_step) for network in networks]
    if not config.rollout.steps:
        return emulators, histories
    del prepared  # its arrays would stand beside the windows
    steps = config.rollout.steps
    recipe = RecipeConfig(
        epochs=config.rollout.epochs, batch_size=config.rollout.batch_size, chunk=config.fit.chunk,
        learning_rate=config.rollout.learning_rate, clip=config.rollout.clip,
    )  # fmt: skip
    again = [jax.random.fold_in(key, 1) for key in orders]
    emulators, later = fit_many(
        emulators, RolloutLoss(config.rollout.weight), windows(data, steps), recipe, again,
        selection=None if selection is None else windows(selection, steps),
        augment=Mirror(data.levels) if config.mirror else None,
        on_chunk=_part(on_chunk, single, 1.0, config.fit.epochs),
        on_epoch=_after(on_epoch, config.fit.epochs),
        resume_path=None if resume_path is None else resume_path.with_name(f"{resume_path.name}-rollout"),
    )  # fmt: skip
    return emulators, [_joined(*pair) for pair in zip(histories, later, strict=True)]


def _part(on_chunk: OnChunk, first: float, last: float, epochs: int) -> OnChunk:
    """Progress of a part of the whole training, after `epochs` epochs."""
    if on_chunk is None:
        return None
    return lambda fit: on_chunk(
        dataclasses.replace(fit, fraction=first + (last - first) * fit.fraction, epoch=epochs + fit.epoch)
    )


def _after(on_epoch: OnEpoch, epochs: int) -> OnEpoch:
    if on_epoch is None:
        return None
    return lambda record, model: on_epoch(dataclasses.replace(record, epoch=epochs + record.epoch), model)


def _joined(first: History, then: History) -> History:
    loss, judged, norm = (
        np.concatenate([getattr(first, name), getattr(then, name)]) for name in ("loss", "selection_loss", "gradient_norm")
    )
    return History(loss, judged, norm)


@dataclasses.dataclass(frozen=True)
class _Prepared:
    """What training needs.

    Attributes:
        scaling: of the inputs.
        arrays: inputs unscaled and targets as the network is to say them.
        augment: what scales a batch.
        chosen: the selection stretch, scaled; None if there is none.
        moisture: of scaled outputs, else None.
    """

    scaling: InputScaling
    arrays: tuple[np.ndarray, np.ndarray]
    augment: "_Augment"
    chosen: tuple[np.ndarray, np.ndarray] | None
    moisture: np.ndarray | None


def _prepare(
    data: ColumnDataset, selection: ColumnDataset | None, config: EmulatorConfig, sigma_half: tuple[float, ...]
) -> _Prepared:  # fmt: skip
    for part in (data, selection):
        if part is not None and part.levels != len(sigma_half) - 1:
            raise UsageError(f"The data have {part.levels} levels, sigma_half {len(sigma_half) - 1}. Remedy: those of the host.")
    half = tuple(float(sigma) for sigma in sigma_half)
    moisture = mean_moisture(data.inputs, half) if config.outputs == "scaled" else None

    def wanted(part: ColumnDataset) -> np.ndarray:
        mean = moisture
        if mean is None:
            return part.targets
        return _filled(part.targets.shape, lambda rows: without_growth(part.inputs[rows], part.targets[rows], mean, half))

    def view(rows: slice) -> np.ndarray:
        return view_vectors(config.inputs, data.inputs[rows], sigma_half)

    seen = data.inputs if config.inputs == "plain" else _filled(data.inputs.shape, view)
    scaling = input_scaling(seen, data.levels, config.norm, config.mirror)
    chosen = None
    if selection is not None:
        inputs = selection.inputs

        def features(rows: slice) -> np.ndarray:
            return _features(scaling, view_vectors(config.inputs, inputs[rows], sigma_half))

        chosen = _filled(inputs.shape, features), wanted(selection)
    mean, scale = (tuple(np.asarray(values).tolist()) for values in (scaling.mean, scaling.scale))
    augment = _Augment(mean, scale, data.levels if config.mirror else 0)
    return _Prepared(scaling, (seen, wanted(data)), augment, chosen, moisture)


@dataclasses.dataclass(frozen=True)
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
    return (inputs - np.asarray(scaling.mean)) / np.asarray(scaling.scale)


def _filled(shape: tuple[int, int], make: Callable[[slice], np.ndarray]) -> Float[np.ndarray, "sample values"]:
    """What `make` gives for rows of samples, block by block, so that the memory of the whole is taken once."""
    whole = aligned(shape)
    for start in range(0, len(whole), BLOCK):
        first = max(min(start, len(whole) - BLOCK), 0)  # all of one length, which is compiled once
        rows = slice(first, first + BLOCK)
        whole[rows] = make(rows)
    return whole


def _initial(config: EmulatorConfig, levels: int, seed: int) -> tuple[MLP, jax.Array]:
    weights, order = jax.random.split(jax.random.key(seed))
    hidden = (config.width,) * config.depth
    return MLP.init(weights, size(INPUTS, levels), size(OUTPUTS, levels), hidden, config.activation), order


def _assemble(
    network: MLP | Linear, prepared: _Prepared, config: EmulatorConfig, sigma_half: tuple[float, ...], time_step: float
) -> Emulator:
    return Emulator(
        prepared.scaling, network, tuple(float(s) for s in sigma_half), float(time_step),
        Limits(config.dry_levels, config.cold_trap), config.conservation, config.clip, config.inputs,
        None if prepared.moisture is None else jnp.asarray(prepared.moisture),
    )  # fmt: skip
