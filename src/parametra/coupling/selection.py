"""Selection: among networks of equal offline skill, the one that keeps the climate in a short coupled run."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from parametra.core.errors import PhysicalStopError
from parametra.coupling.ensemble import run_many
from parametra.coupling.protocols import Closure


class Candidate(NamedTuple):
    """How a candidate did in its trial.

    Attributes:
        name: of the candidate.
        score: lower is better, e.g. the rms of its drift; infinite for a crash.
        outcome: whatever the trial gave beside the score; None for a crash.
        stop: why it crashed, None if it did not.
    """

    name: str
    score: float
    outcome: Any
    stop: PhysicalStopError | None


def select(candidates: Mapping[str, Closure], trial: Callable[[Closure], tuple[Any, Any]], threads: int = 1) -> list[Candidate]:
    """All candidates, best first.

    Args:
        candidates: closures by name.
        trial: a short coupled run; gives (score, outcome), or raises PhysicalStopError. A score that is not finite is a crash.
        threads: trials at the same time.

    Returns:
        Survivors by score, then the crashed ones, those that lasted longest first.
    """
    jobs = {name: lambda closure=closure: trial(closure) for name, closure in candidates.items()}
    ranked: list[Candidate] = []
    for name, result in run_many(jobs, threads).items():
        if isinstance(result, PhysicalStopError):
            ranked.append(Candidate(name, np.inf, None, result))
        else:
            score = float(result[0])
            ranked.append(Candidate(name, score if np.isfinite(score) else np.inf, result[1], None))
    return sorted(ranked, key=lambda candidate: (candidate.score, -(candidate.stop.day if candidate.stop else 0.0)))
