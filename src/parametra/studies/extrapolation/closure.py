"""Stage closure: two-scale Lorenz-96. Pairs at weak forcing, a closure chosen among them, a coupled run at strong forcing."""

from itertools import product
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from parametra.core.errors import PhysicalStopError
from parametra.coupling import Closure, Watch, coupled_run, start
from parametra.dynamics import (
    Design,
    FamilyClosure,
    Lorenz96,
    PolynomialClosure,
    choose_closure,
    fit_polynomial,
    hellinger,
    truth_pairs,
)
from parametra.dynamics.closures import Pairs, offline_r2, record_pairs, single_precision
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.extrapolation.config import ClosureConfig

EVERY = 20  # steps between kept moments
WATCH = {"x": (-200.0, 200.0)}


def run_closure(run: Run) -> dict[str, Any]:
    """R2 offline at stronger forcing, and the distance of the coupled run's histogram from the truth's."""
    config: ClosureConfig | None = run.config.closure
    if config is None:
        return {}
    seed = run.config.seed
    forcings = (*config.training, *config.testing)
    pairs: dict[float, Pairs] = {}
    for number, forcing in enumerate(forcings):
        run.progress.update("closure", 0.5 * number / len(forcings), truth_at=forcing)
        pairs[forcing] = truth_pairs(forcing, seed=seed, spin_up=config.spin_up, time=config.time, rings=config.rings)
    training = {forcing: pairs[forcing] for forcing in config.training}
    choice = choose_closure(training, _designs(config), most=config.pairs, seed=seed)
    x, u = (np.concatenate([np.ravel(pair[i]) for pair in training.values()]) for i in (0, 1))
    linear = fit_polynomial(x, u, 1)
    top = max(config.testing)
    offline = {forcing: offline_r2(choice.family, *pairs[forcing], forcing) for forcing in config.testing}
    offline_linear = {forcing: _r2(linear, *pairs[forcing]) for forcing in config.testing}
    run.progress.update("closure", 0.75, r2=offline[top])
    truth = [_long_truth(config, top, seed + 1000 + i) for i in (0, 1)]
    limits = (float(truth[0].min()), float(truth[0].max()))
    closures: dict[str, Closure] = {"family": FamilyClosure(single_precision(choice.family)), "linear": linear,
                                    "none": PolynomialClosure(jnp.zeros(1))}  # fmt: skip
    floor = hellinger(truth[0].ravel(), truth[1].ravel(), 100, limits)
    gaps, histograms = {}, {"truth": _histogram(truth[0], limits)}
    for number, (name, closure) in enumerate(closures.items()):
        run.progress.update("closure", 0.85 + 0.05 * number, coupled=name)
        values = _coupled(config, top, closure, seed)
        gaps[name] = hellinger(truth[0].ravel(), values.ravel(), 100, limits) if values is not None else float("nan")
        histograms[name] = _histogram(values, limits) if values is not None else np.full(100, np.nan)
    _write(run, offline, offline_linear, histograms, limits)
    table = [{"design": design.label, "r2": r2} for design, r2 in choice.ranking]
    return {"metrics": _rows(run, top, offline, offline_linear, gaps, floor, config), "ranking": table}


def _designs(config: ClosureConfig) -> list[Design]:
    base = Design(main="network", hidden=(config.hidden,), coefficients="affine", ridge=1e-6, restarts=1, steps=30)
    return [base.model_copy(update={"powers": (p,), "out_powers": (q,)}) for p, q in product(config.powers, config.out_powers)]


def _r2(closure: PolynomialClosure, x: np.ndarray, u: np.ndarray) -> float:
    predicted = np.polynomial.polynomial.polyval(np.ravel(x), np.asarray(closure.coefficients, np.float64))
    return float(1.0 - np.mean((predicted - np.ravel(u)) ** 2) / np.var(np.ravel(u)))


def _long_truth(config: ClosureConfig, forcing: float, seed: int) -> np.ndarray:
    return truth_pairs(forcing, seed=seed, spin_up=config.spin_up, time=config.run_time, rings=config.rings)[0]


def _coupled(config: ClosureConfig, forcing: float, closure: Closure, seed: int) -> np.ndarray | None:
    """X (moment, column) of a coupled run, None where it blew up."""
    host = Lorenz96(forcing=forcing, rings=config.rings)
    kept: list[np.ndarray] = []

    def keep(step: int, records: dict[str, np.ndarray], state: Any) -> None:
        kept.append(records["x"][::EVERY])

    state, carry = start(host, closure, seed)
    spin_up, steps = round(config.spin_up / host.time_step), round(config.run_time / host.time_step)
    try:
        end = coupled_run(host, closure, state, carry, seed, spin_up, chunk=spin_up, watch=Watch(WATCH, day=1.0))
        coupled_run(
            host, closure, end.state, end.carry, seed, steps, chunk=200, record=record_pairs, reduce="none", on_chunk=keep,
            start_step=end.step, watch=Watch(WATCH, day=1.0),
        )  # fmt: skip
    except PhysicalStopError:
        return None
    return np.concatenate(kept)


def _histogram(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return np.histogram(np.clip(values, *limits), 100, limits, density=True)[0]


def _write(
    run: Run,
    offline: dict[float, float],
    linear: dict[float, float],
    histograms: dict[str, np.ndarray],
    limits: tuple[float, float],
) -> None:
    edges = np.linspace(*limits, 101)
    fields = xr.Dataset(
        {
            "r2": (("closure", "forcing"), np.array([list(offline.values()), list(linear.values())])),
            "density": (("run", "x"), np.stack(list(histograms.values()))),
        },
        {"closure": ["family", "linear"], "forcing": list(offline), "run": list(histograms), "x": 0.5 * (edges[1:] + edges[:-1])},
    )
    write_fields(run.folder.fields("closure"), fields)


def _rows(
    run: Run, top: float, offline: dict[float, float], linear: dict[float, float], gaps: dict[str, float], floor: float,
    config: ClosureConfig,
) -> list[Metric]:  # fmt: skip
    judged = run.config.judged
    source = f"one state, closure chosen by edge validation at F <= {max(config.training):g}"
    rows = [
        Metric(f"Lorenz-96, F = {top:g}: offline R2", offline[top], "1", 0.74 if judged else None, "higher", "skill", source),
        Metric(f"Lorenz-96, F = {top:g}: offline R2, linear closure", linear[top], "1", kind="skill"),
    ]
    share = (gaps["family"] - floor) / (gaps["linear"] - floor)
    source = f"Hellinger distance, 100 bins on the truth's range; sampling floor {floor:.3g}, linear {gaps['linear']:.3g}"
    rows.append(
        Metric(f"Lorenz-96, F = {top:g}, coupled: excess over the floor, share of the linear closure's", share, "1",
               0.5 if judged else None, "lower", "skill", source)
    )  # fmt: skip
    rows += [
        Metric(f"Lorenz-96, F = {top:g}, coupled: Hellinger distance, {name}", gap, "1", kind="skill")
        for name, gap in gaps.items()
    ]
    return rows
