"""Stage logistic: sparse families chosen by edge validation, in every regime and at every level of noise, beside PySINDy."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import xarray as xr

from parametra.core.progress import Progress
from parametra.dynamics import Design, Fitted, SeriesSet, find_landmarks, select
from parametra.dynamics.fitting import covariance
from parametra.dynamics.landmarks import NAMES
from parametra.dynamics.precision import in_float64
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.extrapolation import baselines
from parametra.studies.extrapolation.config import ExtrapolationConfig
from parametra.studies.extrapolation.parts import (
    INTERVAL,
    SEARCH,
    cases,
    errors,
    logistic_series,
    median,
    save_family,
    sparse_pool,
)  # fmt: skip

PROTOCOL = "15 values of r in [2.8, 3.5], 600 pairs; design by edge validation; median over seeds"


def run_logistic(run: Run) -> dict[str, Any]:
    """Errors of the landmarks, the bound that the noise sets, and the ranking of one run in full."""
    config: ExtrapolationConfig = run.config
    protocol, pool = config.logistic, sparse_pool(config.logistic)
    shape = (len(protocol.regimes), len(protocol.noise), protocol.seeds, len(NAMES))
    ours, theirs, bound = (np.full(shape, np.nan) for _ in range(3))
    chosen, ranking = np.full(shape[:3], "", dtype=object), []
    all_cases = list(cases(protocol))
    for number, (regime, noise, seed) in enumerate(all_cases):
        place = protocol.regimes.index(regime), protocol.noise.index(noise), seed
        data = logistic_series(protocol, regime, noise, config.seed + seed)
        selection = select(pool, data, fraction=protocol.edge)
        fitted = selection.chosen
        chosen[place] = fitted.design.label
        found = find_landmarks(fitted.family, SEARCH, INTERVAL)
        ours[place] = list(errors(found).values())
        if noise:
            bound[place] = landmark_deviation(fitted, data, noise)
        if baselines.available():
            rival, _ = baselines.fit_pysindy(data, protocol.edge)
            theirs[place] = list(errors(find_landmarks(rival, SEARCH, INTERVAL)).values())
        if regime == "cov" and noise == 0 and seed == 0:
            save_family(run.folder, "sparse-0", fitted)
        if seed == 0:
            entries = [(one.design.label, one.error, one.parameters) for one in selection.ranking[:6]]
            ranking.append({"regime": regime, "noise": noise, "rows": entries, "chosen": fitted.design.label})
        _show(run.progress, number, len(all_cases), regime, noise, ours[place])
    beside = _beside_bound(run, pool, ours, theirs, bound)
    dims = ("regime", "noise", "seed", "landmark")
    fields = xr.Dataset(
        {
            "error": (dims, ours), "error_pysindy": (dims, theirs), "deviation_bound": (dims, bound),
            "design": (dims[:3], chosen.astype(str)),
        },
        {
            "regime": list(protocol.regimes), "noise": list(protocol.noise), "seed": np.arange(protocol.seeds),
            "landmark": list(NAMES),
        },
    )  # fmt: skip
    write_fields(run.folder.fields("landmarks"), fields)
    if beside is not None:
        figures = {"figure": ["error", "pysindy", "bound"], "seed": np.arange(len(beside))}
        write_fields(run.folder.fields("bound"), xr.Dataset({"onset": (("seed", "figure"), beside)}, figures))
    metrics = _metrics(config, ours, theirs, bound) + _bound_metrics(config, beside)
    return {"metrics": metrics, "ranking": ranking, "pysindy": baselines.available()}


def _beside_bound(run: Run, pool: list[Design], ours: np.ndarray, theirs: np.ndarray, bound: np.ndarray) -> np.ndarray | None:
    """(seed, (error, PySINDy's, bound)) of the onset at the most noise in the first regime: a median needs more seeds there.

    The first seeds are those of the protocol. None where no series has noise.
    """
    config: ExtrapolationConfig = run.config
    protocol = config.logistic
    regime, noise = protocol.regimes[0], max(protocol.noise)
    if not noise:
        return None
    j = protocol.noise.index(noise)
    rows = [list(row) for row in np.stack([part[0, j, :, 0] for part in (ours, theirs, bound)], axis=1)]
    for seed in range(protocol.seeds, protocol.bound_seeds):
        data = logistic_series(protocol, regime, noise, config.seed + seed)
        fitted = select(pool, data, fraction=protocol.edge, runners_up=0).chosen
        row = [errors(find_landmarks(fitted.family, SEARCH, INTERVAL))["accumulation"], np.nan, np.nan]
        if baselines.available():
            row[1] = errors(find_landmarks(baselines.fit_pysindy(data, protocol.edge)[0], SEARCH, INTERVAL))["accumulation"]
        row[2] = landmark_deviation(fitted, data, noise)[NAMES.index("accumulation")]
        rows.append(row)
        run.progress.update("logistic", 1.0, regime=regime, noise=noise, seed=seed, accumulation=float(row[0]))
    return np.array(rows)


def _bound_metrics(config: ExtrapolationConfig, beside: np.ndarray | None) -> list[Metric]:
    if beside is None:
        return []
    error, rival, bound = beside.T
    series = f"{config.logistic.regimes[0]}, noise {max(config.logistic.noise):g}, {len(beside)} seeds"
    title = f"logistic, {series}: error of accumulation"
    source = "median error over the median bound, a standard deviation: an efficient estimate has 0.67"
    goal = 1.5 if config.judged else None
    rows = [Metric(f"{title} over its Cramer-Rao bound", median(error) / median(bound), "1", goal, "lower", "skill", source)]
    if np.isfinite(rival).any():
        ratio, goal = median(error) / median(rival), 1.0 if config.judged else None
        source = "medians; PySINDy's threshold by the same edge validation"
        rows.append(Metric(f"{title} over PySINDy's", ratio, "1", goal, "lower", "skill", source))
    return rows


@in_float64
def landmark_deviation(fitted: Fitted, data: SeriesSet, noise: float) -> list[float]:
    """Cramer-Rao bound on the standard deviation of every landmark, for the terms that the fit keeps, at the known noise."""
    spread = float(np.concatenate(data.series).std())
    matrix = covariance(fitted, data, noise / spread)
    active = np.argwhere(fitted.mask > 0)
    steps = np.sqrt(np.maximum(np.diag(matrix), 0.0)) * 0.1 + 1e-12
    gradient = np.zeros((len(active), len(NAMES)))
    for row, (where, step) in enumerate(zip(active, steps, strict=True)):
        sides = []
        for sign in (1.0, -1.0):
            moved = fitted.family.readout.at[tuple(where)].add(sign * step)
            family = eqx.tree_at(lambda f: f.readout, fitted.family, jnp.asarray(moved))
            found = find_landmarks(family, SEARCH, INTERVAL)
            sides.append(np.array([getattr(found, name) for name in NAMES]))
        gradient[row] = (sides[0] - sides[1]) / (2.0 * step)
    return [float(np.sqrt(max(g @ matrix @ g, 0.0))) if np.isfinite(g).all() else float("nan") for g in gradient.T]


def _metrics(config: ExtrapolationConfig, ours: np.ndarray, theirs: np.ndarray, bound: np.ndarray) -> list[Metric]:
    rows, protocol = [], config.logistic
    for i, regime in enumerate(protocol.regimes):
        for j, noise in enumerate(protocol.noise):
            for k, name in enumerate(NAMES):
                judged = config.judged and regime == "cov" and noise == 0 and name != "band_merging"
                title = f"logistic, {regime}, noise {noise:g}: error of {name.replace('_', ' ')}"
                rows.append(Metric(title, median(ours[i, j, :, k]), "1", 1e-8 if judged else None, "lower", "skill", PROTOCOL))
                if k == 0 and np.isfinite(theirs[i, j]).any():
                    rows.append(Metric(f"{title}, PySINDy", median(theirs[i, j, :, k]), "1", None, "lower", "skill", PROTOCOL))
            if noise:
                ratio = median(ours[i, j, :, 0]) / median(bound[i, j, :, 0])
                title = f"logistic, {regime}, noise {noise:g}: error of accumulation over its Cramer-Rao bound"
                source = "medians; bound for the terms that were chosen; an efficient estimate has 0.67"
                rows.append(Metric(title, ratio, "1", None, "lower", "skill", source))
    lost = int(np.isnan(ours).sum())
    rows.append(Metric("logistic: landmarks not found, of all seeds", lost, "1", None, "lower", "skill", f"of {ours.size}"))
    return rows


def _show(progress: Progress, number: int, count: int, regime: str, noise: float, found: np.ndarray) -> None:
    progress.update("logistic", (number + 1) / count, regime=regime, noise=noise, accumulation=float(found[0]))
