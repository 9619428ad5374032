"""What the pages of a contest share: fronts, curves and the table of rivals, for images and for language alike."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from parametra.report.figures.fronts import Points, front
from parametra.report.figures.scaling import Curve, curves
from parametra.report.formatting import duration, number
from parametra.report.section import Figure, Panels, Part, Table

FREE = "dense"
# 97.5 % points of Student's t for 1, 2, ... degrees of freedom: the page does without scipy
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


@dataclass(frozen=True)
class Contest:
    """A stage's table with the words for it.

    Attributes:
        data: cells, seeds, epochs.
        score: what is lower for the better network, with unit.
        scaled: from the score of the table to that.
        paired: difference or ratio of a network to its rival, per seed, as the table shows it.
        difference: what `paired` is, in words.
    """

    data: xr.Dataset
    score: str
    scaled: Callable[[np.ndarray], np.ndarray]
    paired: Callable[[np.ndarray, np.ndarray], np.ndarray]
    difference: str

    @property
    def last(self) -> np.ndarray:
        """(cell, seed) at the end."""
        return self.scaled(self.data.score.values[:, :, -1].astype(np.float64))

    def parts(self) -> tuple[Part, ...]:
        """Two fronts, two training curves at the largest width, the table of rivals."""
        fronts = (
            Figure(self._front("parameters", "parameters"), "Means over seeds with 95 % intervals."),
            Figure(self._front("epoch_seconds", "seconds of an epoch"), "The shortest epoch of each network, on this machine."),
        )
        trained = (Figure(self._curves("score", self.score, self.scaled)), Figure(self._curves("loss", "training loss")))
        return (
            Panels(fronts, columns=2),
            Panels(trained, columns=2, title="Training curves of the widest networks and their rivals"),
            self._rivals(),
        )

    def _front(self, cost: str, label: str) -> str:
        last, schemes = self.last, self.data.scheme.values
        costs, families = self.data[cost].values.astype(np.float64), {}
        for scheme in dict.fromkeys(str(name) for name in schemes):
            own = schemes == scheme
            families[scheme] = Points(costs[own], last[own].mean(1), half_width(last[own]))
        return front(families, FREE, f"{self.score.capitalize()} against {label}", label, self.score)

    def _curves(self, name: str, label: str, scaled: Callable[[np.ndarray], np.ndarray] = lambda values: values) -> str:
        data = self.data
        widest = data.width.values[data.scheme.values != FREE].max()
        chosen = [i for i in range(data.sizes["cell"]) if data.scheme.values[i] != FREE and data.width.values[i] == widest]
        rivals = [int(r) for c, r in zip(data.pair_cell.values, data.pair_rival.values, strict=True) if int(c) in chosen]
        lines = {}
        for index in dict.fromkeys([*rivals, *chosen]):
            values = scaled(data[name].values[index].astype(np.float64))
            free = data.scheme.values[index] == FREE
            style = "dashed" if free else "line"
            lines[str(data.cell.values[index])] = Curve(values.mean(0), low=values.min(0), high=values.max(0), style=style)
        original = f"{FREE} {int(widest)}"
        return curves(data.epoch.values, lines, label.capitalize(), "epoch", label, first=(original,))

    def _rivals(self) -> Table:
        data, last, rows = self.data, self.last, []
        names = [str(name) for name in data.cell.values]
        size, seconds = (data[name].values.astype(np.float64) for name in ("parameters", "epoch_seconds"))
        for c, r, kind in zip(data.pair_cell.values, data.pair_rival.values, data.pair_kind.values, strict=True):
            cell, rival = int(c), int(r)
            values = self.paired(last[cell], last[rival])
            half = float(half_width(values[None])[0])
            rows.append(
                (
                    names[cell], str(kind), names[rival], number(float(last[cell].mean())), number(float(last[rival].mean())),
                    f"{number(float(values.mean()))} ± {number(half)}",
                    number(size[cell] / size[rival]), number(seconds[cell] / seconds[rival]), duration(seconds[cell]),
                )
            )  # fmt: skip
        head = (
            "network", "rival by", "rival", self.score, "of the rival", self.difference, "parameters, ratio", "time, ratio",
            "its epoch",
        )  # fmt: skip
        order = sorted(range(len(rows)), key=lambda i: (data.width.values[int(data.pair_cell.values[i])], rows[i][0], rows[i][1]))
        caption = (
            "Intervals: 95 % by Student's t over seeds, networks of one seed paired. A rival never has less than the network."
        )
        return Table(head, tuple(rows[i] for i in order), caption)


def half_width(values: np.ndarray) -> np.ndarray:
    """(n,) half widths of 95 % intervals of the mean of (n, seed)."""
    count = values.shape[1]
    factor = STUDENT[count - 2] if count - 2 < len(STUDENT) else 1.96 + 2.4 / (count - 1)
    return factor * values.std(1, ddof=1) / math.sqrt(count)
