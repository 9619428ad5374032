"""Stage elsewhere: the truth again over other seas, for the generalization experiments of Rasp et al. (2018).

Each world is a truth of its own: same host, same cloud-resolving model, same seed, another sea. It starts as the reference did,
from the stored mature moment laid over its own sea, where air temperature changes as the sea below it at constant relative
humidity: a warm world begins warm and moist, and only its lapse rate has to adjust. The reference's own later state over a
suddenly warmer sea would spend weeks of truth on filling up with heat and vapour.
"""

from dataclasses import dataclass, replace
from typing import Any

import xarray as xr

from parametra.studies.base import Run
from parametra.studies.climate.config import ClimateConfig, WorldConfig
from parametra.studies.climate.truth import last_state, run_truth, truth_fields


@dataclass(frozen=True)
class Elsewhere:
    """One other world: the run as it looks from there, and where its truth is.

    Attributes:
        world: its configuration.
        run: the same folder, under the configuration of that world.
        store: name of its truth.
    """

    world: WorldConfig
    run: Run
    store: str

    @classmethod
    def of(cls, run: Run, world: WorldConfig) -> "Elsewhere":
        """A world of this run."""
        return cls(world, replace(run, config=config_of(run.config, world)), f"truth-{world.name}")

    def training(self) -> xr.Dataset:
        """The training stretch."""
        truth = self.run.config.truth
        return truth_fields(self.run, truth.spin_up_days, truth.scoring_start, self.store)

    def scoring(self) -> xr.Dataset:
        """The scoring stretch, which no network has seen."""
        truth = self.run.config.truth
        return truth_fields(self.run, truth.scoring_start, truth.days, self.store)

    def record(self) -> xr.Dataset:
        """All truth after the spin-up."""
        truth = self.run.config.truth
        return truth_fields(self.run, truth.spin_up_days, truth.days, self.store)

    def last_state(self) -> Any:
        """State of the host at the end of the truth."""
        return last_state(self.run, store=self.store)[0]


def config_of(config: ClimateConfig, world: WorldConfig) -> ClimateConfig:
    """The configuration of a world: the reference's, with its own sea and stretches; no twins start from it."""
    sea = config.host.surface
    sea = sea.model_copy(update={"warming": sea.warming + world.warming, "wave": sea.wave + world.wave})
    stretches = {name: getattr(world, name) for name in ("spin_up_days", "training_days", "scoring_days")}
    return config.model_copy(
        update={
            "host": config.host.model_copy(update={"surface": sea}),
            "truth": config.truth.model_copy(update={**stretches, "selection_days": 0.0}),
            "ceiling": config.ceiling.model_copy(update={"starts": 1}),
        }
    )


def run_elsewhere(run: Run) -> dict[str, Any]:
    """Run the truth of every other world; what is there already is kept."""
    worlds = run.config.worlds
    for index, world in enumerate(worlds):
        there = Elsewhere.of(run, world)
        run_truth(there.run, there.store, _show(run, world.name, index, len(worlds)))
    return {"worlds": {world.name: Elsewhere.of(run, world).run.config.truth.days for world in worlds}}


def _show(run: Run, name: str, index: int, worlds: int) -> Any:
    def show(fraction: float, day: float, values: dict[str, Any]) -> None:
        run.progress.update("elsewhere", (index + fraction) / worlds, world=name, day=day, **values)

    return show
