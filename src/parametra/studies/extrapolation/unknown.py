"""Stage unknown: r is never given; one learned number per series takes its place, and is compared with r only afterwards."""

from typing import Any

import numpy as np
import xarray as xr

from parametra.dynamics import Design, Family, affine_r2, discover, find_landmarks
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.extrapolation.config import ExtrapolationConfig
from parametra.studies.extrapolation.parts import INTERVAL, TRUE, logistic_series, median

DESIGN = Design(main="polynomial", degree=4)
NOISE = (0.0, 1e-3)


def run_unknown(run: Run) -> dict[str, Any]:
    """How well the learned number follows r, and where the family over it puts the onset of chaos."""
    config: ExtrapolationConfig = run.config
    shape = (len(NOISE), config.unknown_seeds)
    r2, onset = np.full(shape, np.nan), np.full(shape, np.nan)
    shown: dict[str, Any] = {}
    for i, noise in enumerate(NOISE):
        for seed in range(config.unknown_seeds):
            data = logistic_series(config.logistic, "cov", noise, config.seed + seed)
            r = data.known[:, 0]
            found = discover(data, DESIGN)
            r2[i, seed] = affine_r2(found.control, r)
            slope, offset = np.polyfit(r, found.control, 1)
            onset[i, seed] = _onset(found.fitted.family, slope, offset)
            if seed == 0:
                shown[f"found_{i}"] = ("series", found.control)
                shown["r"] = ("series", r)
            run.progress.update("unknown", (i * shape[1] + seed + 1) / r2.size, noise=noise, r2=float(r2[i, seed]))
    write_fields(run.folder.fields("unknown"), xr.Dataset(shown))
    rows = []
    for i, noise in enumerate(NOISE):
        goal = 0.999 if config.judged else None
        title = f"r not given, noise {noise:g}"
        rows.append(
            Metric(f"{title}: R2 of the learned number", median(r2[i]), "1", goal, "higher", "skill", "median over seeds")
        )
        source = "after an affine map of the number to r"
        rows.append(Metric(f"{title}: error of accumulation", median(onset[i]), "1", None, "lower", "skill", source))
    return {"metrics": rows}


def _onset(family: Family, slope: float, offset: float) -> float:
    """Error of the accumulation point in r; the family's control is slope r + offset, and slope is positive or there is none."""
    if slope <= 0:  # the sign convention of `discover` follows the mean state, which grows with r
        return float("nan")
    found = find_landmarks(family, (slope * 2.9 + offset, slope * 4.05 + offset), INTERVAL).accumulation
    return abs((found - offset) / slope - TRUE["accumulation"])
