"""A host, a closure and a clock: the two protocols and everything that knows only these two."""

from parametra.coupling.blocks import ColumnBlocks
from parametra.coupling.ceiling import Ceiling, ceiling, growth_curve, levelled_off
from parametra.coupling.drift import Distance, DriftScore, distance, drift_curve, drift_score
from parametra.coupling.ensemble import run_many
from parametra.coupling.protocols import Closure, Host
from parametra.coupling.run import CoupledResult, coupled_run, start
from parametra.coupling.selection import Candidate, select
from parametra.coupling.shadow import OnlineError, Shadow, ShadowRun, aggregate, online_error, shadow_run
from parametra.coupling.step import Seen, coupled_step
from parametra.coupling.twins import twin_run
from parametra.coupling.watch import Watch

__all__ = [
    "Candidate",
    "Ceiling",
    "Closure",
    "ColumnBlocks",
    "CoupledResult",
    "Distance",
    "DriftScore",
    "Host",
    "OnlineError",
    "Seen",
    "Shadow",
    "ShadowRun",
    "Watch",
    "aggregate",
    "ceiling",
    "coupled_run",
    "coupled_step",
    "distance",
    "drift_curve",
    "drift_score",
    "growth_curve",
    "levelled_off",
    "online_error",
    "run_many",
    "select",
    "shadow_run",
    "start",
    "twin_run",
]
