"""Distances between attractors: of their distributions, of their shape in state space, of their spectra. NumPy only.

An orbit that escaped has values that are not finite; its distance from any other is NaN.
"""

import numpy as np
from scipy.stats import wasserstein_distance

from parametra.core.errors import UsageError


def wasserstein(first: np.ndarray, second: np.ndarray) -> float:
    """Mean over state variables of the Wasserstein-1 distance of two orbits (steps, state)."""
    a, b = _orbits(first, second)
    if not _finite(a, b):
        return float("nan")
    return float(np.mean([wasserstein_distance(a[:, i], b[:, i]) for i in range(a.shape[1])]))


def hellinger(first: np.ndarray, second: np.ndarray, bins: int = 100, limits: tuple[float, float] | None = None) -> float:
    """Mean over state variables of the Hellinger distance of histograms; `limits` are those of the first by default.

    Values outside the limits fall into the outermost bins, so that an excursion counts. 0 for equal, 1 for disjoint.
    """
    a, b = _orbits(first, second)
    if not _finite(a, b):
        return float("nan")
    distances = []
    for i in range(a.shape[1]):
        low, high = limits or (a[:, i].min(), a[:, i].max())
        edges = np.linspace(low, high if high > low else low + 1.0, bins + 1)
        p, q = (np.histogram(np.clip(x[:, i], edges[0], edges[-1]), edges)[0] / len(x) for x in (a, b))
        distances.append(np.sqrt(max(0.0, 1.0 - np.sum(np.sqrt(p * q)))))
    return float(np.mean(distances))


def state_space_divergence(first: np.ndarray, second: np.ndarray, bins: int = 30) -> float:
    """Kullback-Leibler divergence of occupied boxes, first from second, with half a count in every box that either visits.

    Source: Koppe, Toutounji, Kirsch, Lis & Durstewitz (2019, PLoS Comput. Biol. 15, e1007263), D_stsp by binning.
    """
    a, b = _orbits(first, second)
    if not _finite(a, b):
        return float("nan")
    low, high = a.min(axis=0), a.max(axis=0)
    width = np.where(high > low, high - low, 1.0) / bins
    boxes = [np.clip(np.floor((x - low) / width), -1, bins).astype(np.int64) for x in (a, b)]
    _, labels = np.unique(np.concatenate(boxes), axis=0, return_inverse=True)
    labels = labels.ravel()
    count = labels.max() + 1
    p, q = (np.bincount(part, minlength=count) + 0.5 for part in (labels[: len(a)], labels[len(a) :]))
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum(p * np.log(p / q)))


def spectrum_hellinger(first: np.ndarray, second: np.ndarray, smooth: int = 5) -> float:
    """Mean over state variables of the Hellinger distance of power spectra, normalised to one, smoothed over frequencies.

    Source: Mikhaeil, Monfared & Durstewitz (2022, NeurIPS), D_H. Orbits of different length are cut to the shorter.
    """
    a, b = _orbits(first, second)
    if not _finite(a, b):
        return float("nan")
    length = min(len(a), len(b))
    kernel = np.ones(smooth) / smooth
    distances = []
    for i in range(a.shape[1]):
        powers = []
        for x in (a[:length, i], b[:length, i]):
            power = np.convolve(np.abs(np.fft.rfft(x - x.mean())) ** 2, kernel, "same")
            powers.append(power / power.sum() if power.sum() > 0 else np.full(len(power), 1.0 / len(power)))
        distances.append(np.sqrt(max(0.0, 1.0 - np.sum(np.sqrt(powers[0] * powers[1])))))
    return float(np.mean(distances))


def _finite(first: np.ndarray, second: np.ndarray) -> bool:
    return bool(np.isfinite(first).all() and np.isfinite(second).all())


def _orbits(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = (np.asarray(x, np.float64) for x in (first, second))
    a, b = (x[:, None] if x.ndim == 1 else x for x in (a, b))
    if a.ndim != 2 or a.shape[1] != b.shape[1] or not len(a) or not len(b):
        raise UsageError(f"Orbits of shape {a.shape} and {b.shape} cannot be compared. Remedy: (steps, state) of one system.")
    return a, b
