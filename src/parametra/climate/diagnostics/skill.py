"""How much of the variance a prediction explains, in the two conventions of the field, which must never be mixed.

pooled (CBRAIN): per level, variance over time and space together. per cell (ClimSim): per grid cell and level over time, then
the mean over cells. The same network scores 0.57 pooled and 0.31 per cell, so every number carries its convention. Levels or
cells without variance have no R2: a floor masks them and their number is returned.

Both follow from four sums of each cell over time, so that a record can be scored block by block.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.geometry import TROPOSPHERE_TOP, latitude_weights, step_in_hours, thickness_below
from parametra.core.errors import UsageError

Convention = Literal["pooled", "per_cell"]
LEVEL_FLOOR = 1e-6  # a level whose standard deviation is below 1/1000 of that of the liveliest level is masked
CELL_FLOOR = 1e-2  # a cell whose standard deviation is below 1/10 of the level's root-mean-square one is masked
WINDOWS = (0.5, 2.0, 6.0, 24.0)  # h


@dataclass(frozen=True)
class Skill:
    """R2 by level.

    Attributes:
        r2: (level,), (latitude, level) where asked for, or () for a field without levels; NaN where masked.
        masked: as `r2`, the number of masked cells; in the pooled convention a masked level counts 1.
        convention: pooled or per_cell.
    """

    r2: xr.DataArray
    masked: xr.DataArray
    convention: Convention

    @property
    def total_masked(self) -> int:
        """Masked levels (pooled) or masked cells over all levels (per cell)."""
        return int(self.masked.sum())

    def level_mean(self, top: float = TROPOSPHERE_TOP) -> float:
        """Mean over the levels from `top` [Pa] to the surface, weighted by mass, masked levels left out; a scalar is itself."""
        return level_mean(self.r2, top)


def pooled_r2(
    truth: xr.DataArray, prediction: xr.DataArray, *, area_weighted: bool = False, floor: float = LEVEL_FLOOR,
    by: Sequence[str] = ("level",),
) -> Skill:  # fmt: skip
    """R2_z = 1 - mean((y - p)^2) / var(y), mean and variance over all times and columns of a level.

    Samples whose truth is not finite are left out. A prediction that is not finite where the truth is makes the R2 of its level
    NaN: a broken network must not look good.

    Args:
        truth: y, any unit, dims among (time, latitude, longitude, level).
        prediction: p, same unit and dims.
        area_weighted: weight rows by their area; CBRAIN does not.
        floor: a level with var(y) below `floor` times the largest var(y) of all levels is masked.
        by: what the result keeps; ("latitude", "level") scores each row apart, with the variance of that row.

    Source: CBRAIN-CAM, `hor_r2` (Rasp, Pritchard & Gentine 2018, 10.1073/pnas.1810286115); area weights are an option of ours.
    """
    return SkillSums.of(truth, prediction).pooled_r2(area_weighted=area_weighted, floor=floor, by=by)


def per_cell_r2(
    truth: xr.DataArray,
    prediction: xr.DataArray,
    *,
    area_weighted: bool = True,
    floor: float = CELL_FLOOR,
    level_floor: float = LEVEL_FLOOR,
    by: Sequence[str] = ("level",),
) -> Skill:
    """R2 = 1 - sum_t (y - p)^2 / sum_t (y - mean_t y)^2 in each cell, then the mean over the cells that are not masked.

    Args:
        truth: y, any unit, dims (time, ...) and level or not.
        prediction: p, same unit and dims.
        area_weighted: weight cells by their area in the mean, as ClimSim does.
        floor: a cell with a variance below `floor` times the mean cell variance of its level is masked.
        level_floor: a level with a mean cell variance below `level_floor` times the largest one is masked as a whole.
        by: what the result keeps; ("latitude", "level") is the mean over the cells of each row.

    Source: ClimSim (Yu et al. 2023, arXiv:2306.08754), which has no floor.
    """
    sums = SkillSums.of(truth, prediction)
    return sums.per_cell_r2(area_weighted=area_weighted, floor=floor, level_floor=level_floor, by=by)


class SkillSums:
    """Sums over time of a truth and its prediction, cell by cell, in float64; all blocks on one grid.

    Squares are summed about the first value of a cell, so that nothing is lost when the mean is taken off.
    """

    def __init__(self) -> None:
        self.cells: xr.DataArray | None = None

    @classmethod
    def of(cls, truth: xr.DataArray, prediction: xr.DataArray) -> "SkillSums":
        """The sums of one block."""
        sums = cls()
        sums.add(truth, prediction)
        return sums

    def add(self, truth: xr.DataArray, prediction: xr.DataArray) -> None:
        """Take in a block, as `pooled_r2` has it.

        Raises:
            UsageError: truth and prediction differ in shape.
        """
        if set(truth.dims) != set(prediction.dims) or any(truth.sizes[name] != prediction.sizes[name] for name in truth.dims):
            raise UsageError(
                f"Truth {dict(truth.sizes)} and prediction {dict(prediction.sizes)} differ in shape. "
                "Remedy: score both on the same steps and grid."
            )
        truth = truth.transpose("time", ..., missing_dims="ignore")
        # by position: coordinates that went through float32 once must not empty the intersection
        steps, words = (side.values if "time" in truth.dims else side.values[None]
                        for side in (truth, prediction.transpose(*truth.dims)))  # fmt: skip
        if self.cells is None:
            self.cells = (truth.isel(time=0, drop=True) if "time" in truth.dims else truth).astype(np.float64)
            self.reference = np.nan_to_num(self.cells.values, posinf=0.0, neginf=0.0)
            self.count, self.total, self.square, self.error = (np.zeros(self.cells.shape) for _ in range(4))
        for step, word in zip(steps, words, strict=True):  # one fits into a processor's cache
            used = np.isfinite(step)
            deviation = np.where(used, step, self.reference) - self.reference
            self.count += used
            self.total += deviation
            self.square += deviation * deviation
            # a word that is no number stays one where the truth is a number
            self.error += np.square(np.where(used, word, self.reference) - np.where(used, step, self.reference))

    def pooled_r2(self, *, area_weighted: bool = False, floor: float = LEVEL_FLOOR, by: Sequence[str] = ("level",)) -> Skill:
        """As the function of this name, of everything that was added."""
        weight = self._cells(np.ones(self.count.shape))
        if area_weighted and "latitude" in weight.dims:
            weight = weight * latitude_weights(weight.latitude)
        over = [name for name in weight.dims if name not in by]
        with np.errstate(invalid="ignore", divide="ignore"):
            inside = np.where(self.count > 0, self.total / self.count, 0.0)
        # about the mean of everything: the scatter inside each cell, and that of the cells' means
        within, middle = self._cells(self.square - self.count * inside**2), self._cells(self.reference + inside)
        share = self._cells(self.count) * weight
        whole = share.sum(over)
        mean = (middle * share).sum(over) / whole
        variance = (within * weight + (middle - mean) ** 2 * share).sum(over).clip(min=0.0) / whole
        error = (self._cells(self.error) * weight).sum(over, skipna=False) / whole
        live = (variance > floor * variance.max()) & (variance > 0)
        return Skill((1.0 - error / variance.where(live)).rename("r2"), (~live).astype(np.int64).rename("masked"), "pooled")

    def per_cell_r2(
        self,
        *,
        area_weighted: bool = True,
        floor: float = CELL_FLOOR,
        level_floor: float = LEVEL_FLOOR,
        by: Sequence[str] = ("level",),
    ) -> Skill:
        """As the function of this name, of everything that was added."""
        count = self._cells(np.where(self.count > 0, self.count, np.nan))
        variance = (self._cells(self.square) - self._cells(self.total) ** 2 / count).clip(min=0.0) / count
        cells = [name for name in variance.dims if name not in by]
        typical = variance.mean(cells) if cells else variance
        live = (variance > floor * typical) & (typical > level_floor * typical.max())
        r2 = 1.0 - self._cells(self.error) / count / variance.where(live)
        if not cells:
            return Skill(r2.rename("r2"), (~live).astype(np.int64).rename("masked"), "per_cell")
        area = live.astype(np.float64)
        if area_weighted and "latitude" in cells:
            area = area * latitude_weights(variance.latitude)
        share = area.sum(cells)
        mean_r2 = (r2.where(live, 0.0) * area).sum(cells, skipna=False) / share.where(share > 0)
        return Skill(mean_r2.rename("r2"), (~live).sum(cells).astype(np.int64).rename("masked"), "per_cell")

    def _cells(self, values: np.ndarray) -> xr.DataArray:
        assert self.cells is not None, "something was added"
        return self.cells.copy(data=values)


def window_mean(field: xr.DataArray, hours: float, step_hours: float | None = None) -> xr.DataArray:
    """Means over consecutive windows of `hours`; an incomplete last window is dropped.

    Raises:
        UsageError: the window is not a whole number of steps, or longer than the record.
    """
    step = step_in_hours(field.time) if step_hours is None else step_hours
    count = window_steps(hours, step)
    if not 0 < count <= field.sizes["time"]:
        raise UsageError(
            f"A window of {hours:g} h does not fit a record of {field.sizes['time']} steps of {step:g} h. "
            "Remedy: a window that is a whole number of steps and not longer than the record."
        )
    return mean_over(field, count)


def window_steps(hours: float, step_hours: float) -> int:
    """Steps in a window of `hours`; 0 where that is not a whole number of them."""
    count = round(hours / step_hours)
    return count if abs(count * step_hours - hours) <= 1e-6 * hours else 0


def mean_over(field: xr.DataArray, steps: int) -> xr.DataArray:
    """Means over so many consecutive steps; an incomplete last window is dropped."""
    return field if steps == 1 else field.coarsen(time=steps, boundary="trim").mean()


def level_mean(by_level: xr.DataArray, top: float = TROPOSPHERE_TOP) -> float:
    """Mass-weighted mean over the levels from `top` [Pa] to the surface, NaN levels left out; a scalar is itself."""
    if "level" not in by_level.dims:
        return float(by_level)
    weight = thickness_below(by_level.level, top).where(np.isfinite(by_level), 0.0)
    total = float(weight.sum())
    return float((by_level.fillna(0.0) * weight).sum()) / total if total > 0 else float("nan")


def fraction_of_ceiling(r2: float, linear: float, ceiling: float) -> float:
    """(R2 - linear) / (ceiling - linear): 0 is linear regression, 1 the noise ceiling; NaN where that is not above linear."""
    return (r2 - linear) / (ceiling - linear) if ceiling > linear else float("nan")
