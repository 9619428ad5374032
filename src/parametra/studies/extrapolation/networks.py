"""Stage networks: trained networks alone, without a polynomial among the candidates, on clean series that cover the states."""

from typing import Any

import numpy as np
import xarray as xr

from parametra.dynamics import find_landmarks, select
from parametra.dynamics.landmarks import NAMES
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.extrapolation.config import ExtrapolationConfig
from parametra.studies.extrapolation.parts import INTERVAL, SEARCH, errors, logistic_series, median, save_family


def run_networks(run: Run) -> dict[str, Any]:
    """Landmarks of the network that edge validation chose, seed by seed, and of every design of the first seed."""
    config: ExtrapolationConfig = run.config
    protocol = config.logistic
    found = np.full((protocol.network_seeds, len(NAMES)), np.nan)
    chosen, table = [], []
    for seed in range(protocol.network_seeds):
        data = logistic_series(protocol, "cov", 0.0, config.seed + seed)
        everything = len(protocol.networks) if seed == 0 else 0

        def show(number: int, design: Any, seed: int = seed) -> None:
            share = (seed + number / len(protocol.networks)) / protocol.network_seeds
            run.progress.update("networks", share, seed=seed, design=design.label)

        selection = select(protocol.networks, data, fraction=protocol.edge, seed=seed, runners_up=everything, on_design=show)
        found[seed] = list(errors(find_landmarks(selection.chosen.family, SEARCH, INTERVAL)).values())
        chosen.append(selection.chosen.design.label)
        save_family(run.folder, f"network-{seed}", selection.chosen)
        if seed == 0:
            edge = {one.design: one for one in selection.ranking}
            for fitted in selection.fitted:
                mistakes = errors(find_landmarks(fitted.family, SEARCH, INTERVAL))
                row = {"design": fitted.design.label, "edge": edge[fitted.design].error, "parameters": fitted.parameters}
                table.append(row | mistakes)
    fields = xr.Dataset(
        {"error": (("seed", "landmark"), found), "design": ("seed", np.array(chosen, dtype=str))},
        {"seed": np.arange(protocol.network_seeds), "landmark": list(NAMES)},
    )
    write_fields(run.folder.fields("networks"), fields)
    source = "trained networks only, clean cov, design by edge validation, median over seeds"
    rows = [
        Metric(
            f"logistic, networks alone: error of {name.replace('_', ' ')}", median(found[:, k]), "1",
            1e-5 if config.judged and name != "band_merging" else None, "lower", "skill", source,
        )
        for k, name in enumerate(NAMES)
    ]  # fmt: skip
    rows.append(Metric("logistic, networks alone: worst seed, accumulation", float(np.max(found[:, 0])), "1", kind="skill"))
    return {"metrics": rows, "designs": table}
