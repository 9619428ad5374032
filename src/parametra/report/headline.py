"""The first thing on the page: one sentence that says how good the run is, and the numbers behind it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from parametra.report.formatting import number, target, unit
from parametra.report.reader import RunReader
from parametra.store.metrics import Metric

Tone = Literal["good", "bad", "mixed", "running"]


@dataclass(frozen=True)
class Tile:
    """One number in large print: what it is, its unit, its target in words, whether it was reached."""

    name: str
    value: str
    unit: str
    target: str
    passed: bool | None


@dataclass(frozen=True)
class Headline:
    """Verdict, the sentence below it, its tone, and the tiles."""

    verdict: str
    detail: str
    tone: Tone
    tiles: tuple[Tile, ...]


# what a tile shows, per study: title and the pattern that finds its metric, the first match in the order of metrics.json
TILES: dict[str, tuple[tuple[str, str], ...]] = {
    "climate": (
        ("sub-grid speed-up", r"sub-?\s?grid.*(speed|ratio|faster)|(speed|ratio).*sub-?\s?grid|speed-?\s?up"),
        ("zonal temperature, rms error", r"rms.*temperature|temperature.*rms"),
        ("rain profile, correlation", r"rain.*(correlation|profile|\br\b)|precipitation.*(profile|correlation)"),
    ),
    "wide": (
        ("loss against its own kernel", r"dense, steps, squared: gap of the loss to the empirical"),
        ("loss against the infinite-width kernel", r"dense, steps, squared: gap of the loss to the infinite"),
        ("variance of the ensemble over predicted", r"ensemble, \w+: variance"),
        ("test error of kernel regression", r"regression with the ntk: test error"),
    ),
    "spectral": (
        ("copy task, time to the goal", r"copying.*spectral, time to the goal"),
        ("copy task, times faster than LSTM", r"copying.*times faster than lstm"),
        ("deepest network, test accuracy", r"layers of \w+, spectral: test accuracy"),
        ("deepest network, spread of gradients", r"layers of \w+, spectral: largest over smallest"),
    ),
    "symmetry": (
        ("test error less that of equal time", r"images.*hadamard.*equal time"),
        ("test error less that of equal parameters", r"images.*hadamard.*equal parameters"),
        ("perplexity over dense, equal width", r"language.*symmetric.*equal width"),
        ("images a second, over the original", r"throughput.*times faster"),
    ),
    "extrapolation": (
        ("onset of chaos, error, any design", r"logistic, cov, noise 0: error of accumulation$"),
        ("onset of chaos, error, networks alone", r"networks alone: error of accumulation$"),
        ("Lyapunov exponents, agreement of sign", r"lyapunov exponent, agreement"),
        ("Lorenz-96 at F = 32, offline R²", r"lorenz 96.*offline r2$"),
    ),
}
# the climate is kept when all of these that have a target reach it
CLIMATE_KEPT = r"(mean.*temperature|temperature.*rms|rms.*temperature|precipitable|rain.*(profile|correlation)|days survived)"
NOT_THE_NETWORK = r"^over |split|half|null|^linear|linear$|^time mean|^truth|zig zag|drift|seed|without|conventional"


def headline(run: RunReader) -> Headline:
    """Verdict and tiles of a run in whatever state it is."""
    tiles = _tiles(run)
    if run.stop is not None:
        where = "" if run.stop.day is None else f" at day {run.stop.day:.2f}"
        column = "" if run.stop.column is None else f" in column {run.stop.column}"
        return Headline(f"The run stopped{where}{column}: it left what is physical.", run.stop.sentence, "bad", tiles)
    judged = [row for row in run.metrics if row.passed is not None]
    if not judged:
        return Headline(*_unfinished(run), "running", tiles)
    missed = [row.name for row in judged if not row.passed]
    count = f"{len(judged) - len(missed)} of {len(judged)} targets reached"
    detail = f"{count}." if not missed else f"{count}. Missed: {_list(missed)}."
    kept = _climate_kept(run.metrics) if run.study == "climate" else None
    if not run.finished and kept is None:
        return Headline(_unfinished(run)[0], f"{detail} This page shows what exists so far.", "running", tiles)
    if kept is None:
        verdict = "Every target is reached." if not missed else f"{count}."
        detail = detail if missed else f"{len(judged)} of {len(judged)} targets."
    else:
        verdict = "The network keeps the climate of the truth" if kept else "The network does not keep the climate of the truth"
        verdict += f"; {len(missed)} of {len(judged)} targets are missed." if kept and missed else "."
    tone: Tone = "good" if not missed else "mixed" if kept is not False and len(missed) <= len(judged) // 2 else "bad"
    return Headline(verdict, detail, tone, tiles)


def find(metrics: Sequence[Metric], pattern: str) -> Metric | None:
    """The first metric whose name matches, one with a target before others; figures of baselines and halves are left out.

    Names are compared in small letters, with spaces for hyphens and underscores.
    """
    names = [(row, _plain(row.name)) for row in metrics]
    found = [row for row, name in names if re.search(pattern, name) and not re.search(NOT_THE_NETWORK, name)]
    return next((row for row in found if row.target is not None), found[0] if found else None)


def _tiles(run: RunReader) -> tuple[Tile, ...]:
    wanted = TILES.get(run.study)
    if wanted is None:
        found = [(row.name, row) for row in run.metrics if row.target is not None][:4]
    else:
        kind = _plain((run.selected or "").rpartition("-")[0])
        # of rows of several kinds of networks, those of the selected one
        own = [row for row in run.metrics if kind and _plain(row.name).startswith(f"{kind}:")]
        found = [
            (title, row) for title, pattern in wanted if (row := find(own, pattern) or find(run.metrics, pattern)) is not None
        ]
    tiles = [Tile(title, number(row.value) + _times(title), unit(row.unit), target(row), row.passed) for title, row in found]
    return (*tiles, *([days] if (days := _days(run)) is not None else []))


def _days(run: RunReader) -> Tile | None:
    """How long the selected network ran, of the days that any run reached."""
    drift = run.fields("drift")
    name = next((name for name in (run.selected, "network") if drift is not None and name in drift.run.values), None)
    if drift is None or name is None:
        return None
    alive = drift.day.values[drift.mean_temperature.sel(run=name).notnull().values]
    last, longest = (float(alive.max()) if alive.size else 0.0), float(drift.day.max())
    return Tile("network run, without a stop", number(last), "days", f"{number(longest)} days", last >= longest)


def _times(title: str) -> str:
    return "×" if "speed-up" in title else ""


def _climate_kept(metrics: Sequence[Metric]) -> bool | None:
    judged = [
        row.passed
        for row in metrics
        if row.passed is not None
        and re.search(CLIMATE_KEPT, _plain(row.name))
        and not re.search(NOT_THE_NETWORK, _plain(row.name))
    ]
    return all(judged) if judged else None


def _unfinished(run: RunReader) -> tuple[str, str]:
    done = len(run.stage_seconds)
    if run.running_stage is not None:
        return f"The run is at stage “{run.running_stage}”.", f"{done} stages have finished; this page shows what exists so far."
    if run.finished:
        return "The run has ended; it has no figures with a target.", "This page shows what exists."
    return "The run has not finished.", "This page shows what exists so far; the same command carries on with it."


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _plain(name: str) -> str:
    return re.sub(r"[-_]+", " ", name.lower())
