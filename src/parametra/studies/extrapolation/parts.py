"""What the stages share: series of the protocol, truth values of the landmarks, families kept on disk between stages."""

import json
from collections.abc import Iterator

import equinox as eqx
import jax
import numpy as np

from parametra.dynamics import LOGISTIC, Design, Diagram, Family, Fitted, Landmarks, SeriesSet, simulate
from parametra.dynamics.attractors import wasserstein
from parametra.dynamics.fitting import build, samples_of
from parametra.dynamics.landmarks import NAMES
from parametra.dynamics.precision import in_float64
from parametra.store.networks import fill_module, flatten_module, load_network, save_network
from parametra.store.runfolder import RunFolder
from parametra.studies.extrapolation.config import LogisticConfig, Regime

# accumulation: 50-digit Newton on the exact map; band merging likewise; the others in closed form
TRUE = {"accumulation": 3.5699456718709449, "period3": 1.0 + 8.0**0.5, "band_merging": 3.678573510428322, "crisis": 4.0}
# landmarks that a system is known to have: those of the sine law lie where 4 sin(mu) is r, and it only touches r = 4, the crisis
KNOWN = {"logistic": NAMES, "quartic": NAMES, "sine-law": ("accumulation", "period3", "band_merging")}
SEARCH, INTERVAL = (2.8, 4.1), (0.0, 1.0)
FRESH = 200  # added to the seed where rules were set with results of the first seeds in view


def logistic_series(config: LogisticConfig, regime: Regime, noise: float, seed: int) -> SeriesSet:
    """600 pairs: one series of 40 steps per r (`one`), eight of 5 (`cov`), or one of 40 on the attractor (`attr`)."""
    r = np.linspace(config.low, config.high, config.controls)
    start = (lambda rng: rng.uniform(0.0, 1.0, 1)) if regime == "cov" else (lambda rng: rng.uniform(0.05, 0.95, 1))
    steps, repeats, burn = (6, 8, 0) if regime == "cov" else (41, 1, 3000 if regime == "attr" else 0)
    return simulate(LOGISTIC, r, steps, start, seed=seed, repeats=repeats, burn=burn, noise=noise, name="r")


def sparse_pool(config: LogisticConfig) -> list[Design]:
    """The sparse polynomial library, quadratic in r, with every number of terms, fitted by one step and by shooting."""
    base = Design(main="polynomial", degree=config.degree, coefficients="powers", order=2)
    terms = range(2, config.most_terms + 1)
    return [base.model_copy(update={"terms": n, "loss": loss}) for loss in ("one-step", "shooting") for n in terms]


def errors(found: Landmarks) -> dict[str, float]:
    """Distance of every landmark from its true place, NaN where it was not found."""
    return {name: abs(getattr(found, name) - TRUE[name]) for name in NAMES}


def cases(config: LogisticConfig) -> Iterator[tuple[Regime, float, int]]:
    """(regime, noise, seed) of the protocol."""
    for regime in config.regimes:
        for noise in config.noise:
            for seed in range(config.seeds):
                yield regime, noise, seed


def median(values: np.ndarray) -> float:
    """Median in which a landmark that was not found counts as infinitely wrong, so that failures do not vanish."""
    found = np.median(np.where(np.isfinite(values), values, np.inf)) if len(values) else np.nan
    return float(found) if np.isfinite(found) else float("nan")


def distances(first: Diagram, second: Diagram) -> np.ndarray:
    """(orbit,) Wasserstein distances of the attractors in two diagrams over the same controls, NaN where one escaped."""
    return np.array([wasserstein(a, b) for a, b in zip(first.states, second.states, strict=True)])


@in_float64
def save_family(folder: RunFolder, name: str, fitted: Fitted) -> None:
    """The family in networks/NAME.safetensors, its design in the header."""
    arrays = flatten_module(eqx.filter(fitted.family, eqx.is_array))
    save_network(folder.network(name), arrays, {"design": fitted.design.model_dump(mode="json")})


@in_float64
def load_family(folder: RunFolder, name: str, data: SeriesSet) -> Family:
    """The family that `save_family` wrote; `data` are any series of the same shape of state and control."""
    arrays, header = load_network(folder.network(name))
    design = Design.model_validate_json(json.dumps(header["design"]), strict=True)
    skeleton = build(design, samples_of(design, data, np.ones(len(data.series), bool)), jax.random.key(0), data.time_step)
    return eqx.combine(fill_module(eqx.filter(skeleton, eqx.is_array), arrays), skeleton)
