"""Stage train: networks and a linear regression learn the training stretch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
from parametra.learn import EpochRecord, FitProgress
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.climate.config import ClimateConfig, NetworkConfig
from parametra.studies.climate.truth import truth_fields

LINEAR = "linear"
Show = Callable[[FitProgress], None]


def network_names(config: ClimateConfig) -> list[str]:
    """Every network that is trained: NAME-SEED."""
    return [name for network in config.networks for name in _own(network)]


def train_networks(run: Run) -> dict[str, Any]:
    """Train what is not trained yet; each network is one file in networks/."""
    config: ClimateConfig = run.config
    data, selection = home_data(run)
    sigma, step = config.host.sigma_half, config.host.time_step
    if not run.folder.network(LINEAR).exists():
        linear = train_linear(data, EmulatorConfig(), sigma, step)
        save_emulator(run.folder.network(LINEAR), linear, {"study": "climate", "preset": run.folder.preset})
    names, done = [name for network in config.networks if not network.committee_of for name in _own(network)], 0
    for network in config.networks:
        for seed in range(network.seeds):
            name = f"{network.name}-{seed}"
            if network.committee_of:
                _seat(run, name, network, seed)
                continue
            train_network(run, name, data, network.emulator, seed, selection, shown(run, "train", name, done, len(names)))
            done += 1
    rows = [Metric("training columns", len(data.inputs), "1", kind="skill")]
    return {"networks": network_names(config), "metrics": rows}


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


def _own(network: NetworkConfig) -> list[str]:
    return [f"{network.name}-{seed}" for seed in range(network.seeds)]


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


def shown(run: Run, stage: str, name: str, done: int, total: int) -> Show:
    """Progress of a stage that has trained `done` networks of `total`."""

    def show(fit: FitProgress) -> None:
        run.progress.update(
            stage, (done + fit.fraction) / total, network=name, loss=fit.loss, columns_per_second=fit.samples_per_second
        )

    return show


def _log(run: Run, name: str) -> Callable[[EpochRecord], None]:
    def log(epoch: EpochRecord) -> None:
        run.folder.log(
            "epoch", network=name, epoch=epoch.epoch, loss=epoch.loss, selection_loss=epoch.selection_loss,
            seconds=epoch.seconds, samples_per_second=epoch.samples_per_second,
        )  # fmt: skip

    return log
