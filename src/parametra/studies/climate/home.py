"""The recipes that have seen the reference alone, over its own sea: what is lost abroad must first have been kept here."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.drift import late_climate
from parametra.climate.diagnostics.means import zonal_climate
from parametra.climate.emulator import load_emulator
from parametra.climate.schemes.emulated import EmulatedScheme
from parametra.core.errors import PhysicalStopError
from parametra.store.fields import open_fields, write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.climate import parts
from parametra.studies.climate.climate import KEPT, MEASURES, wilson
from parametra.studies.climate.config import ClimateConfig, Recipe, WorldConfig
from parametra.studies.climate.coupled import keeps_climate
from parametra.studies.climate.drive import Drive
from parametra.studies.climate.recipes import HOME, networks_of
from parametra.studies.climate.response import CHANGES
from parametra.studies.climate.truth import last_state, truth_fields

HERE = "home"
_KEYS = (*(key for key, _, _ in MEASURES[:4]), "precipitation")


@dataclass(frozen=True)
class AtHome:
    """Trials over the reference's sea.

    Attributes:
        recipes: those that have seen the reference alone, and that some world asks for.
        names: their networks, by recipe and seed.
    """

    run: Run
    recipes: tuple[Recipe, ...]
    names: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, run: Run) -> "AtHome":
        """The trials of this run; none where no other world is."""
        config: ClimateConfig = run.config
        asked: dict[Recipe, WorldConfig] = {}
        for recipe in HOME:
            for world in config.worlds:
                if recipe in world.recipes:
                    asked[recipe] = world
        return cls(run, tuple(asked), tuple(tuple(networks_of(config, world, recipe)) for recipe, world in asked.items()))

    @property
    def count(self) -> int:
        """How many networks run."""
        return sum(map(len, self.names))

    def drive(self, simulated: dict[str, float], total: float) -> dict[str, PhysicalStopError | None]:
        """All of them for the length of a trial; why each stopped."""
        run, config = self.run, self.run.config
        if not self.count:
            return {}
        host = parts.host_of(config)
        labels = {f"{HERE}-{name}": name for names in self.names for name in names}
        drive = Drive(
            run, "abroad", "abroad", host, last_state(run)[0],
            lambda label: EmulatedScheme(load_emulator(run.folder.network(labels[label]))[0]),
            parts.zonal_recorder(*host.grid.shape, tuple(config.host.sigma_half)), total, simulated,
        )  # fmt: skip
        stops = drive.run_all({label: config.coupled.candidate_days for label in labels})
        return {labels[label]: stop for label, stop in stops.items()}

    def judge(self, stops: dict[str, PhysicalStopError | None]) -> list[Metric]:
        """Measures (recipe, seed) against all truth after spin-up, kept in fields/response-home.zarr; their rows."""
        if not self.count:
            return []
        truth, length = self.run.config.truth, self.run.config.coupled
        record = zonal_climate(truth_fields(self.run, truth.spin_up_days, truth.days))
        window = length.keeps_from, length.candidate_days
        found = {key: np.full((len(self.recipes), len(self.names[0])), np.nan) for key in (*_KEYS, "kept")}
        for row, names in enumerate(self.names):
            for seed, name in enumerate(names):
                if stops[name] is None:
                    fields = open_fields(self.run.folder.fields(f"abroad-{HERE}-{name}"))
                    difference = late_climate(fields, record, *window)
                    found["kept"][row, seed] = keeps_climate(difference)
                    for key in _KEYS:
                        found[key][row, seed] = difference[key]
        table = xr.Dataset({key: (("recipe", "seed"), values) for key, values in found.items()}, {"recipe": list(self.recipes)})
        write_fields(self.run.folder.fields(f"response-{HERE}"), table)
        return [row for recipe in self.recipes for row in _rows(table.sel(recipe=recipe), recipe, window)]

    def own_changes(self, found: xr.Dataset, world: WorldConfig) -> list[Metric]:
        """Changes over a warmer sea from each network's own climate at home, over the truth's: the answer less the bias."""
        if not self.count or not world.warming:
            return []
        home, rows = open_fields(self.run.folder.fields(f"response-{HERE}")), []
        for recipe in (recipe for recipe in self.recipes if recipe in world.recipes):
            names = [f"{recipe}-{seed}" for seed in range(home.sizes["seed"])]
            for key, words, _ in CHANGES:
                own = found[f"change_{key}"].sel(run=names).values - home[key].sel(recipe=recipe).values
                there = own[np.isfinite(own)]
                share = float(there.mean()) / float(found[f"change_{key}"].sel(run="truth")) if there.size else float("nan")
                title = f"over {world.name}, {recipe}, coupled: change of {words} from its own climate at home, over the truth's"
                source = f"mean of the {there.size} of {len(names)} seeds that ran to the end of both"
                rows.append(Metric(title, share, "1", None, "inside", "skill", source))
        return rows


def _rows(one: xr.Dataset, recipe: str, window: tuple[float, float]) -> list[Metric]:
    kept, seeds = int(one.kept.fillna(0.0).sum()), one.sizes["seed"]
    low, high = wilson(kept, seeds)
    title, days = f"at home, {recipe}, coupled", f"days {window[0]:g} to {window[1]:g}"
    source = f"{days}, mean of the {int(one.kept.notnull().sum())} of {seeds} seeds that ran to the end"
    share = Metric(
        f"{title}: share of seeds that keep the climate", kept / seeds, "1", None, "higher", "skill",
        f"{days}, {KEPT}; {kept} of {seeds}, 95 % interval {low:.2f} to {high:.2f}",
    )  # fmt: skip
    return [share] + [
        Metric(f"{title}: {words}", float(one[key].mean()), unit, kind="skill", source=source)
        for key, words, unit in MEASURES[:4]
    ]
