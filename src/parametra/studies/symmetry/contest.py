"""Networks with a symmetry beside their rivals of free weights: as wide, with as many parameters, and as long in training.

A rival of equal parameters is the narrowest free network that has at least as many; one of equal time the narrowest whose epoch
takes at least as long, read off the epochs that were measured, also one wider than the network itself where that is the slower
one, up to twice as wide. So the rival is not meant to have less; it is chosen by the first seed's epochs. Seeds take turns with
all networks, so that a busy moment of the machine meets all of them, and the shortest epoch counts.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.stats
import xarray as xr

from parametra.core.errors import UsageError
from parametra.learn import EpochRecord
from parametra.store.fields import write_fields
from parametra.studies.base import Run
from parametra.studies.symmetry.schemes import DENSE

PARAMETERS, TIME, WIDTH = "equal parameters", "equal time", "equal width"


@dataclass(frozen=True)
class Cell:
    """One kind of network."""

    scheme: str
    width: int

    @property
    def name(self) -> str:
        """As files and the page call it."""
        return f"{self.scheme} {self.width}"


@dataclass
class Contest:
    """What is trained in one stage, and what came out so far; every epoch is a line of run.jsonl, so nothing is lost to a kill.

    Attributes:
        run: the run.
        stage: its name.
        widths: of the networks that get symmetries.
        schemes: the symmetries.
        seeds: networks of each kind.
        epochs: of each.
        parameters: of a kind.
        train: trains one network and calls back after each epoch with the record and the score.
        step: widths of rivals are multiples of it.
        found: (scheme, width, seed) -> epoch -> line.
    """

    run: Run
    stage: str
    widths: Sequence[int]
    schemes: Sequence[str]
    seeds: int
    epochs: int
    parameters: Callable[[Cell], int]
    train: Callable[[Cell, int, Callable[[EpochRecord, float], None]], None]
    step: int = 2
    found: dict[tuple[str, int, int], dict[int, dict[str, Any]]] = field(default_factory=dict)

    def hold(self) -> dict[tuple[Cell, str], Cell]:
        """Train everything that is not trained yet; the rivals: (network with a symmetry, kind) -> network of free weights."""
        if self.epochs < 2:
            raise UsageError(
                f"{self.stage}.recipe.epochs is {self.epochs}, but the first epoch holds the compilation: a rival of equal time "
                "needs a second one. Remedy: 2 or more."
            )
        for line in self.run.folder.events("epoch"):
            if line["stage"] == self.stage:
                self._note(line)
        rivals = self._rivals_by_size()
        cells = [Cell(scheme, width) for width in self.widths for scheme in (DENSE, *self.schemes)]
        cells = list(dict.fromkeys([*cells, *rivals.values()]))
        total = (len(cells) + len(self.widths) * len(self.schemes)) * self.seeds
        for seed in range(self.seeds):
            for cell in cells:
                self._train(cell, seed, total)
            if seed == 0:
                rivals |= self._rivals_by_time(cells)
                cells = list(dict.fromkeys([*cells, *rivals.values()]))
                for cell in cells:
                    self._train(cell, seed, len(cells) * self.seeds)
                total = len(cells) * self.seeds
        return rivals

    def seconds(self, cell: Cell) -> float:
        """The shortest epoch of all seeds."""
        return min(line["seconds"] for seed in range(self.seeds) for line in self.found.get((*_key(cell), seed), {}).values())

    def scores(self, cell: Cell) -> np.ndarray:
        """(seed, epoch) what `train` called back with."""
        return self._values(cell, "score")

    def cells(self) -> list[Cell]:
        """Everything that was trained."""
        return list(dict.fromkeys(Cell(scheme, width) for scheme, width, _ in self.found))

    def write(self, rivals: dict[tuple[Cell, str], Cell], flops: Callable[[Cell], int]) -> None:
        """The table as fields."""
        cells = self.cells()
        names = [cell.name for cell in cells]
        dims = ("cell", "seed", "epoch")
        pairs = [(cell, kind, rival) for (cell, kind), rival in rivals.items()]
        one = {"units": "1"}
        table = xr.Dataset(
            {
                "score": (dims, np.stack([self.scores(cell) for cell in cells]), one),
                "loss": (dims, np.stack([self._values(cell, "loss") for cell in cells]), one),
                "gradient_norm": (dims, np.stack([self._values(cell, "gradient_norm") for cell in cells]), one),
                "parameters": (("cell",), [float(self.parameters(cell)) for cell in cells], one),
                "flops": (("cell",), [float(flops(cell)) for cell in cells], one),
                "epoch_seconds": (("cell",), [self.seconds(cell) for cell in cells], {"units": "s"}),
                "width": (("cell",), [float(cell.width) for cell in cells], one),
                "scheme": (("cell",), [cell.scheme for cell in cells], one),
                "pair_cell": (("pair",), [names.index(cell.name) for cell, _, _ in pairs], one),
                "pair_rival": (("pair",), [names.index(rival.name) for _, _, rival in pairs], one),
                "pair_kind": (("pair",), [kind for _, kind, _ in pairs], one),
            },
            {"cell": names, "seed": np.arange(self.seeds), "epoch": np.arange(1.0, self.epochs + 1)},
        )
        write_fields(self.run.folder.fields(self.stage), table)

    def _rivals_by_size(self) -> dict[tuple[Cell, str], Cell]:
        rivals = {}
        for width in self.widths:
            for scheme in self.schemes:
                cell = Cell(scheme, width)
                wanted = self.parameters(cell)
                narrow = next((w for w in self._up_to(width) if self.parameters(Cell(DENSE, w)) >= wanted), width)
                rivals[cell, WIDTH], rivals[cell, PARAMETERS] = Cell(DENSE, width), Cell(DENSE, narrow)
        return rivals

    def _rivals_by_time(self, cells: Sequence[Cell]) -> dict[tuple[Cell, str], Cell]:
        """By interpolation in logarithms among the free networks; a choice once made stays, also when a run is resumed."""
        made = {(line["scheme"], line["width"]): line["rival"] for line in self.run.folder.events("rival")
                if line["stage"] == self.stage}  # fmt: skip
        free = sorted({cell.width for cell in cells if cell.scheme == DENSE})
        seconds = np.array([self.seconds(Cell(DENSE, width)) for width in free])
        rivals = {}
        for cell in (cell for cell in cells if cell.scheme != DENSE):
            if _key(cell) not in made:
                wanted = self.seconds(cell)
                widest = 2 * cell.width
                wide = crossing(wanted, np.array(free, np.float64), seconds)
                width = next((w for w in self._up_to(widest) if w >= wide - 1e-6), widest)
                made[_key(cell)] = width
                self.run.folder.log("rival", stage=self.stage, scheme=cell.scheme, width=cell.width, rival=width, seconds=wanted)
            rivals[cell, TIME] = Cell(DENSE, made[_key(cell)])
        return rivals

    def _up_to(self, width: int) -> Iterator[int]:
        return iter(range(self.step, width, self.step))

    def _train(self, cell: Cell, seed: int, total: int) -> None:
        if len(self.found.get((*_key(cell), seed), {})) >= self.epochs:
            return
        done = sum(len(lines) >= self.epochs for lines in self.found.values())

        def told(record: EpochRecord, score: float) -> None:
            line = {
                "stage": self.stage, "scheme": cell.scheme, "width": cell.width, "seed": seed, "epoch": record.epoch,
                "loss": record.loss, "score": score, "seconds": record.seconds, "gradient_norm": record.gradient_norm,
            }  # fmt: skip
            self.run.folder.log("epoch", **line)
            self._note(line)
            fraction = min(1.0, (done + (record.epoch + 1) / self.epochs) / total)
            speed = (record.samples_per_second, "samples/s")
            self.run.progress.update(
                self.stage, fraction, network=cell.name, seed=seed, loss=record.loss, score=score, speed=speed
            )

        self.train(cell, seed, told)
        missing = self.epochs - len(self.found.get((*_key(cell), seed), {}))
        if missing:
            raise UsageError(f"{missing} epochs of {cell.name} are not in run.jsonl. Remedy: run again with --fresh.")

    def _note(self, line: dict[str, Any]) -> None:
        self.found.setdefault((line["scheme"], line["width"], line["seed"]), {})[line["epoch"]] = line

    def _values(self, cell: Cell, name: str) -> np.ndarray:
        lines = [self.found[(*_key(cell), seed)] for seed in range(self.seeds)]
        return np.array([[line[epoch][name] for epoch in range(self.epochs)] for line in lines], np.float64)


def crossing(wanted: float, widths: np.ndarray, seconds: np.ndarray) -> float:
    """The width at which epochs take `wanted` seconds, by interpolation in logarithms.

    Beyond the widest by the power of the last two, or in proportion where noise made that less than one.
    """
    rising = np.maximum.accumulate(seconds)
    if wanted <= rising[-1] or len(widths) < 2:
        return float(np.exp(np.interp(np.log(wanted), np.log(rising), np.log(widths))))
    power = np.log(rising[-1] / rising[-2]) / np.log(widths[-1] / widths[-2])
    return float(widths[-1] * (wanted / rising[-1]) ** (1.0 / max(1.0, power)))


def interval(differences: np.ndarray) -> tuple[float, float, float]:
    """Mean and 95 % interval by Student's t of differences between networks of one seed."""
    mean, count = float(differences.mean()), len(differences)
    half = float(scipy.stats.t.ppf(0.975, count - 1) * differences.std(ddof=1) / math.sqrt(count))
    return mean, mean - half, mean + half


def _key(cell: Cell) -> tuple[str, int]:
    return cell.scheme, cell.width
