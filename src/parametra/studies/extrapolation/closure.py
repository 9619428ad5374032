"""Stage closure: two-scale Lorenz-96. Pairs at weak forcing, a closure chosen among them, a coupled run at strong forcing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from parametra.core.errors import PhysicalStopError
from parametra.coupling import Closure, Watch, coupled_run, start
from parametra.dynamics import (
    Design,
    Lorenz96,
    PolynomialClosure,
    choose_closure,
    fit_polynomial,
    hellinger,
    truth_pairs,
)
from parametra.dynamics.closure_choice import ClosureChoice
from parametra.dynamics.closures import Pairs, offline_r2, record_pairs, single_precision
from parametra.dynamics.lorenz96 import SlowForcing, SlowState
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.extrapolation.config import ClosureConfig
from parametra.studies.extrapolation.parts import FRESH

EVERY = 20  # steps between kept moments
WATCH = {"x": (-200.0, 200.0)}
BINS = 100
RIDGE = 1e-4
FEWEST = 20  # pairs of a bin whose mean U is drawn


@dataclass(frozen=True)
class Outcome:
    """One truth, the closure chosen on its weak forcings, and how far that closure carries.

    Attributes:
        choice: the ranking and the closure.
        r2: share of the variance of U explained, by closure (family, linear), at every testing forcing.
        gaps: Hellinger distance of coupled runs at the strongest forcing (family, linear, none); NaN where one blew up.
        floor: the same between two truths.
        curves: U of X by closure on the bins `x` of the truth's range, the mean of the truth's U among them.
        densities: histograms of X, the truth's among them.
        seen: least and greatest X of the training pairs.
    """

    choice: ClosureChoice
    r2: dict[str, list[float]]
    gaps: dict[str, float]
    floor: float
    x: np.ndarray
    curves: dict[str, np.ndarray]
    densities: dict[str, np.ndarray]
    seen: tuple[float, float]


def run_closure(run: Run) -> dict[str, Any]:
    """R2 offline at stronger forcing, and the distance of the coupled run's histogram from the truth's."""
    config: ClosureConfig | None = run.config.closure
    if config is None:
        return {}
    outcomes = []
    for number in range(config.seeds):
        outcomes.append(_outcome(run, config, run.config.seed + FRESH + number, number / config.seeds))
        run.progress.update("closure", (number + 1) / config.seeds, r2=outcomes[-1].r2["family"][-1])
    _write(run, config, outcomes)
    table = [
        {"design": one.design.label, "forcing": one.forcing, "state": one.state, "score": one.score}
        for one in outcomes[0].choice.ranking
    ]
    return {"metrics": _rows(run, config, outcomes), "ranking": table}


def designs_of(config: ClosureConfig) -> list[Design]:
    """Networks of one law for all forcings with every width, tail and scaling, and the linear closure."""
    base = Design(main="network", coefficients="constant", ridge=RIDGE, restarts=config.restarts, steps=config.steps)
    networks = [
        base.model_copy(update={"hidden": (width,), "tail": tail, "powers": (p,), "out_powers": (q,)})
        for width, tail, p, q in product(config.hidden, config.tails, config.powers, config.out_powers)
    ]
    return [*networks, Design(degree=1, coefficients="constant")]


def _outcome(run: Run, config: ClosureConfig, seed: int, done: float) -> Outcome:
    pairs: dict[float, Pairs] = {}
    for forcing in (*config.training, *config.testing):
        run.progress.update("closure", done, truth_at=forcing, seed=seed)
        pairs[forcing] = truth_pairs(forcing, seed=seed, spin_up=config.spin_up, time=config.time, rings=config.rings)
    training = {forcing: pairs[forcing] for forcing in config.training}
    designs = designs_of(config)

    def show(number: int, design: Design) -> None:
        run.progress.update("closure", done + (0.2 + 0.6 * number / len(designs)) / config.seeds, design=design.label)

    choice = choose_closure(training, designs, most=config.pairs, seed=seed, on_design=show)
    x, u = (np.concatenate([np.ravel(pair[i]) for pair in training.values()]) for i in (0, 1))
    linear = fit_polynomial(x, u, 1)
    r2 = {
        "family": [offline_r2(choice.closure, *pairs[forcing], forcing) for forcing in config.testing],
        "linear": [_r2(linear, *pairs[forcing]) for forcing in config.testing],
    }
    top = max(config.testing)
    truth = [_long_truth(config, top, seed + offset) for offset in (1000, 2000)]
    limits = (float(truth[0].min()), float(truth[0].max()))
    closures: dict[str, Closure] = {
        "family": single_precision(choice.closure), "linear": linear, "none": PolynomialClosure(jnp.zeros(1)),
    }  # fmt: skip
    runs = {name: _coupled(config, top, closure, seed) for name, closure in closures.items()}
    gaps = {name: float("nan") if x is None else _gap(truth[0], x, limits) for name, x in runs.items()}
    densities = {name: np.full(BINS, np.nan) if x is None else _histogram(x, limits) for name, x in runs.items()}
    edges = np.linspace(*limits, BINS + 1)
    centres = 0.5 * (edges[1:] + edges[:-1])
    curves = {name: _curve(closures[name], centres, top) for name in ("family", "linear")}
    return Outcome(
        choice, r2, gaps, _gap(truth[0], truth[1], limits), centres,
        {"truth": _mean_by_bin(*pairs[top], edges)} | curves,
        {"truth": _histogram(truth[0], limits)} | densities, (float(x.min()), float(x.max())),
    )  # fmt: skip


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


def _gap(truth: np.ndarray, values: np.ndarray, limits: tuple[float, float]) -> float:
    return hellinger(truth.ravel(), values.ravel(), BINS, limits)


def _histogram(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return np.histogram(np.clip(values, *limits), BINS, limits, density=True)[0]


def _curve(closure: Closure, x: np.ndarray, forcing: float) -> np.ndarray:
    state, given = SlowState(jnp.asarray(x, jnp.float32)), SlowForcing(jnp.full(len(x), forcing, jnp.float32))
    return np.asarray(closure(state, given, (), jax.random.key(0))[0].x)


def _mean_by_bin(x: np.ndarray, u: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Mean of U in every bin of X, NaN where fewer than `FEWEST` pairs lie."""
    counts, sums = (np.histogram(np.ravel(x), edges, weights=w)[0] for w in (None, np.ravel(u)))
    return np.where(counts >= FEWEST, sums / np.maximum(counts, 1), np.nan)


def _write(run: Run, config: ClosureConfig, outcomes: Sequence[Outcome]) -> None:
    """R2 of every seed; histograms and U of X of the first."""
    first = outcomes[0]
    r2 = np.array([[outcome.r2[name] for outcome in outcomes] for name in ("family", "linear")])
    fields = xr.Dataset(
        {
            "r2": (("closure", "seed", "forcing"), r2),
            "density": (("run", "x"), np.stack(list(first.densities.values()))),
            "tendency": (("law", "x"), np.stack(list(first.curves.values()))),
        },
        {
            "closure": ["family", "linear"], "seed": np.arange(len(outcomes)), "forcing": list(config.testing),
            "run": list(first.densities), "law": list(first.curves), "x": first.x,
        },
        {"low": first.seen[0], "high": first.seen[1], "strongest_seen": max(config.training)},
    )  # fmt: skip
    write_fields(run.folder.fields("closure"), fields)


def _rows(run: Run, config: ClosureConfig, outcomes: Sequence[Outcome]) -> list[Metric]:
    judged, top = run.config.judged, max(config.testing)
    at = config.testing.index(top)
    r2 = {name: [outcome.r2[name][at] for outcome in outcomes] for name in ("family", "linear")}
    share = [(one.gaps["family"] - one.floor) / (one.gaps["linear"] - one.floor) for one in outcomes]
    gaps: Mapping[str, list[float]] = {name: [one.gaps[name] for one in outcomes] for name in outcomes[0].gaps}
    floor = float(np.median([one.floor for one in outcomes]))
    chosen = f"closure chosen by edge validation at F <= {max(config.training):g}"
    source = f"one state, {chosen}; the pool and the rule were set on truths of other seeds; {_spread(r2['family'])}"
    coupled = f"Hellinger distance, {BINS} bins on the truth's range; sampling floor {floor:.3g}; {_spread(share)}"
    return [
        Metric(f"Lorenz-96, F = {top:g}: offline R2", _median(r2["family"]), "1", 0.74 if judged else None, "higher", "skill",
               source),
        Metric(f"Lorenz-96, F = {top:g}: offline R2, linear closure", _median(r2["linear"]), "1", None, "higher", "skill",
               _spread(r2["linear"])),
        Metric(f"Lorenz-96, F = {top:g}, coupled: excess over the floor, share of the linear closure's", _median(share), "1",
               0.5 if judged else None, "lower", "skill", coupled),
        *(
            Metric(f"Lorenz-96, F = {top:g}, coupled: Hellinger distance, {name}", _median(gap), "1", None, "lower", "skill",
                   _spread(gap))
            for name, gap in gaps.items()
        ),
    ]  # fmt: skip


def _median(values: Sequence[float]) -> float:
    """NaN as soon as one run blew up: it would vanish from the median otherwise."""
    return float(np.median(values))


def _spread(values: Sequence[float]) -> str:
    return f"median of {len(values)} truths, {min(values):.3g} to {max(values):.3g}"
