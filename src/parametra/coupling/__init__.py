"""A host, a closure and a clock: the two protocols and everything that knows only these two."""

from parametra.coupling.blocks import ColumnBlocks
from parametra.coupling.protocols import Closure, Host
from parametra.coupling.run import CoupledResult, coupled_run, start
from parametra.coupling.step import Seen, coupled_step
from parametra.coupling.watch import Watch

__all__ = ["Closure", "ColumnBlocks", "CoupledResult", "Host", "Seen", "Watch", "coupled_run", "coupled_step", "start"]
