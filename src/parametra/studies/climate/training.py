"""Stage train: networks and a linear regression learn the training stretch."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import jax
import jax.numpy as jnp

from parametra.climate.emulator import (
    ColumnDataset,
    EmulatorConfig,
    column_dataset,
    committee,
    load_emulator,
    save_emulator,
    train,
    train_linear,
)
from parametra.core import machine
from parametra.coupling import run_many
from parametra.learn import EpochRecord, FitProgress
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.climate.config import ClimateConfig, NetworkConfig
from parametra.studies.climate.truth import truth_fields

LINEAR = "linear"
COPIES, SHARE = 2, 0.8  # of the training data that one training holds; of the free memory that all may take
UNTOLD = 0.5  # of all memory that counts as free where the system does not tell
Show = Callable[[FitProgress], None]


def network_names(config: ClimateConfig) -> list[str]:
    """Every network that is trained: NAME-SEED."""
    return [name for network in config.networks for name in network.names]


def train_networks(run: Run) -> dict[str, Any]:
    """Train what is not trained yet; each network is one file in networks/."""
    config: ClimateConfig = run.config
    data, selection = home_data(run)
    sigma, step = config.host.sigma_half, config.host.time_step
    if not run.folder.network(LINEAR).exists():
        like = EmulatorConfig(dry_levels=config.networks[0].emulator.dry_levels)  # the limits are those of the networks
        linear = train_linear(data, like, sigma, step)
        save_emulator(run.folder.network(LINEAR), linear, {"study": "climate", "preset": run.folder.preset})
    jobs: dict[str, Callable[[], None]] = {}
    show = Shown(run, "train", sum(network.seeds for network in config.networks if not network.committee_of))
    for network in config.networks:
        lesson = last_days(data, network.training_days, config.host.steps_per_day)
        for seed, name in enumerate(network.names):
            if not network.committee_of:
                jobs[name] = partial(train_network, run, name, lesson, network.emulator, seed, selection, show.of(name))
    in_turn(jobs, data)
    for network in config.networks:
        if network.committee_of:
            for seed, name in enumerate(network.names):
                _seat(run, name, network, seed)
    rows = [Metric("training columns", len(data.inputs), "1", kind="skill")]
    return {"networks": network_names(config), "metrics": rows}


def last_days(data: ColumnDataset, days: float, steps_per_day: int) -> ColumnDataset:
    """The last `days` days of a stretch; all of it for 0. Nothing is copied."""
    if not days:
        return data
    first = max(0, data.shape[0] - round(days * steps_per_day))
    samples = first * data.shape[1] * data.shape[2]
    return ColumnDataset(data.inputs[samples:], data.targets[samples:], data.coordinates.isel(time=slice(first, None)))


def in_turn(jobs: dict[str, Callable[[], None]], data: ColumnDataset) -> None:
    """Train networks, on a CPU one a core: small products use one each, and two side by side take little longer than one.

    Each holds one more copy of `data`, as it learns from them or cut into windows of rollouts, and beside it as much of the
    selection stretch and what is at work on a batch of that. As many train at once as have room for `COPIES`.
    """
    run_many(jobs, 1 if jax.default_backend() != "cpu" else at_once(data.inputs.nbytes + data.targets.nbytes))


def at_once(size: int, free: float | None = None) -> int:
    """How many trainings on data of `size` bytes fit into `free` GB, one for each core at most.

    Where `free` is None it is that of the machine, and where that does not tell, `UNTOLD` of all its memory.
    """
    free = machine.free_memory() if free is None else free
    free = UNTOLD * machine.total_memory() if free is None else free
    room = int(SHARE * free * machine.GIGABYTE / (COPIES * size)) if size else machine.cores()
    return max(min(room, machine.cores()), 1)


def train_network(
    run: Run, name: str, data: ColumnDataset, emulator: EmulatorConfig, seed: int, selection: ColumnDataset, show: Show
) -> None:  # fmt: skip
    """Train one network into networks/NAME.safetensors, unless it is there; `seed` is added to the study's."""
    if run.folder.network(name).exists():
        return
    config: ClimateConfig = run.config
    trained, history = train(
        data, emulator, config.host.sigma_half, config.host.time_step, config.seed + seed, selection=selection,
        on_chunk=show, on_epoch=_log(run, name), resume_path=run.folder.checkpoint(f"train-{name}"),
    )  # fmt: skip
    save_emulator(
        run.folder.network(name), trained, {"study": "climate", "preset": run.folder.preset, "seed": config.seed + seed}
    )
    run.folder.log("trained", network=name, loss=history.loss[-1], selection_loss=history.selection_loss[-1])


def _seat(run: Run, name: str, network: NetworkConfig, number: int) -> None:
    """Make one committee of trained networks, unless it is there."""
    if run.folder.network(name).exists():
        return
    members = [f"{network.committee_of}-{seed}" for seed in range(number * network.members, (number + 1) * network.members)]
    whole = committee([load_emulator(run.folder.network(member))[0] for member in members])
    save_emulator(run.folder.network(name), whole, {"study": "climate", "preset": run.folder.preset, "members": members})


def network_function(path: Path) -> tuple[Callable[[Any], Any], int, int]:
    """(function (batch, inputs) -> (batch, outputs) in SI, inputs, outputs) of a network file."""
    emulator, header = load_emulator(path)
    inputs, outputs = (sum(entry["size"] for entry in header[key]) for key in ("inputs", "outputs"))
    return lambda x: emulator.vector(jnp.asarray(x)), inputs, outputs


def home_data(run: Run) -> tuple[ColumnDataset, ColumnDataset]:
    """The reference's training and selection stretch."""
    truth = run.config.truth
    return (
        column_dataset(truth_fields(run, truth.spin_up_days, truth.selection_start)),
        column_dataset(truth_fields(run, truth.selection_start, truth.scoring_start)),
    )


class Shown:
    """Progress of a stage that trains `total` networks, some of them at once."""

    def __init__(self, run: Run, stage: str, total: int):
        self.run, self.stage, self.total = run, stage, total
        self.fractions: dict[str, float] = {}
        self.lock = Lock()

    def of(self, name: str) -> Show:
        """Where one network reports to."""

        def show(fit: FitProgress) -> None:
            with self.lock:
                self.fractions[name] = fit.fraction
                done = sum(self.fractions.values()) / self.total
                rate = fit.samples_per_second
                self.run.progress.update(self.stage, done, network=name, loss=fit.loss, samples_per_second=rate)

        return show


def _log(run: Run, name: str) -> Callable[[EpochRecord], None]:
    def log(epoch: EpochRecord) -> None:
        run.folder.log(
            "epoch", network=name, epoch=epoch.epoch, loss=epoch.loss, selection_loss=epoch.selection_loss,
            seconds=epoch.seconds, samples_per_second=epoch.samples_per_second,
        )  # fmt: skip

    return log
