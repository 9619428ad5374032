"""Scores of an ensemble of draws against the truth, offline: CRPS, spread over error, and how much of the variance there is."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from parametra.climate.emulator.dataset import ColumnDataset
from parametra.climate.emulator.stochastic import StochasticEmulator
from parametra.climate.emulator.vectors import Inputs, output_factors
from parametra.core.errors import UsageError


class EnsembleScores(NamedTuple):
    """One number per output, all over the same samples.

    Attributes:
        crps: mean continuous ranked probability score, fair, in the output's unit; of one member, its mean absolute error.
        spread_skill: spread over error of the mean, 1 for an ensemble whose members and truth are exchangeable.
        variance_ratio: standard deviation of one member over that of the truth.
    """

    crps: Float[np.ndarray, " outputs"]
    spread_skill: Float[np.ndarray, " outputs"]
    variance_ratio: Float[np.ndarray, " outputs"]


def draw(
    stochastic: StochasticEmulator, data: ColumnDataset, members: int, seed: int, batch: int = 8192
) -> Float[np.ndarray, "member sample outputs"]:
    """Independent draws for every column of `data`, in the network's units; each column alone, without memory."""
    rows = []
    for number in range(members):
        parts = []
        for start in range(0, len(data.inputs), batch):
            part = data.inputs[start : start + batch]
            padded = np.pad(part, ((0, min(batch, len(data.inputs)) - len(part)), (0, 0)), mode="edge")
            key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), number), start)
            parts.append(np.asarray(_draw(stochastic, jnp.asarray(padded), key))[: len(part)])
        rows.append(np.concatenate(parts) * output_factors(data.levels).astype(np.float32))
    return np.stack(rows)


@eqx.filter_jit
def _draw(stochastic: StochasticEmulator, inputs, key):
    z = stochastic.start(inputs.shape[0], key)
    return stochastic.outputs(Inputs.from_vector(inputs), z).vector()


def ensemble_scores(
    draws: Float[np.ndarray, "member sample outputs"], truth: Float[np.ndarray, "sample outputs"]
) -> EnsembleScores:
    """Scores of draws, of the same unit as the truth.

    The fair CRPS, mean |x_i - y| - sum over pairs |x_i - x_j| / (M (M - 1)), has the expectation of an infinite ensemble's
    (Ferro 2014, QJRMS 140, 1917). Spread over error takes the finite ensemble into account by (M + 1) / M (Fortin et al. 2014).
    """
    members = len(draws)
    if members < 1 or draws.shape[1:] != truth.shape:
        raise UsageError(f"Draws {draws.shape} do not fit a truth {truth.shape}: (member, *truth), one member at least.")
    crps = np.zeros(truth.shape[1])
    for member in draws:
        crps += np.abs(member - truth).mean(axis=0, dtype=np.float64) / members
    ratio = np.full(truth.shape[1], np.nan)
    if members > 1:
        ordered = np.sort(draws, axis=0)
        weights = 2.0 * np.arange(members) - members + 1.0  # sum over pairs |x_i - x_j| = sum_k weights_k x_(k)
        pairs = sum(weight * rank.mean(axis=0, dtype=np.float64) for weight, rank in zip(weights, ordered, strict=True))
        crps = crps - pairs / (members * (members - 1))
        error = ((draws.mean(axis=0, dtype=np.float64) - truth) ** 2).mean(axis=0)
        spread = draws.var(axis=0, ddof=1, dtype=np.float64).mean(axis=0)
        ratio = np.sqrt((members + 1) / members * spread / np.maximum(error, 1e-300))
    deviation = np.sqrt(np.mean([member.var(axis=0, dtype=np.float64) for member in draws], axis=0))
    return EnsembleScores(crps, ratio, deviation / np.maximum(truth.std(axis=0, dtype=np.float64), 1e-300))
