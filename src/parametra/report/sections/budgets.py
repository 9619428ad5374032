"""Budgets: is water kept, is energy kept, and what do the fixers pay?"""

import re

import numpy as np
import xarray as xr

from parametra.report.figures.bars import rows
from parametra.report.figures.palette import label
from parametra.report.formatting import number, target, with_unit
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Part, Section, Table

TITLE = "Budgets"
LEAD = (
    "Sums in float64. Water: evaporation − precipitation − storage of vapour and condensate. Energy: latent + sensible "
    "heating − "
    "radiative cooling − storage. The residual is what the model made or lost without a reason."
)
UNITS = {"mm/day": "mm/day", "W m-2": "W/m²"}
ROWS = r"residual|budget|closure|fixer|conservation"


def section(run: RunReader) -> Section | None:
    """Terms of the truth's budgets, global means of every run, and the residuals among the metrics."""
    parts: list[Part] = []
    terms = run.fields("budgets")
    if terms is not None:
        figures = tuple(Figure(_terms(terms, str(name))) for name in dict.fromkeys(terms.budget.values.tolist()))
        parts.append(Panels(figures, columns=2, title="Terms of the truth, with 95 % intervals from daily means"))
        parts += _without_interval(terms) if "low" in terms else []
    zonal = run.fields("zonal")
    if zonal is not None:
        parts += _global_means(zonal)
    residuals = [row for row in run.metrics if re.search(ROWS, row.name.lower())]
    if residuals:
        words = {True: "reached", False: "missed", None: ""}
        body = tuple((row.name, with_unit(row.value, row.unit), target(row), words[row.passed]) for row in residuals)
        parts.append(Table(("residual", "value", "target", ""), body))
    if not parts:
        parts = [Note(run.why_missing("budgets"), "missing")]
    return Section("budgets", TITLE, LEAD, tuple(parts))


def _terms(terms: xr.Dataset, budget: str) -> str:
    mine = terms.isel(term=np.flatnonzero(terms.budget.values == budget))
    names = [str(name) for name in mine.term.values]
    unit = UNITS.get(str(mine.unit.values[0]), str(mine.unit.values[0]))
    mean = mine["mean"].values.astype(np.float64)
    low = mine["low"].values if "low" in mine else None
    high = mine["high"].values if "high" in mine else None
    marked = [name for name in names if "residual" in name]
    texts = [number(value) for value in mean.tolist()]
    return rows(names, mean, budget.capitalize(), unit, low=low, high=high, highlight=marked, texts=texts)


def _without_interval(terms: xr.Dataset) -> list[Part]:
    """Which terms have no interval, and why; nothing where all have one."""
    known = np.isfinite([terms[name].values for name in ("low", "high") if name in terms]).all(0)
    names = [f"{budget}: {name}" for budget, name in zip(terms.budget.values[~known], terms.term.values[~known], strict=True)]
    if not names:
        return []
    which = "any term" if not known.any() else "; ".join(names)
    return [Note(f"There is no interval for {which}: the truth's days are worth fewer than five independent ones.")]


def _global_means(zonal: xr.Dataset) -> list[Part]:
    wanted = (
        ("precipitation_flux", "precipitation [mm/day]", 86400.0),
        ("evaporation_flux", "evaporation [mm/day]", 86400.0),
        ("toa_net_downward_shortwave_flux", "absorbed sunlight [W/m²]", 1.0),
        ("toa_outgoing_longwave_flux", "outgoing long-wave [W/m²]", 1.0),
        ("atmosphere_mass_content_of_water_vapor", "precipitable water [kg/m²]", 1.0),
    )
    weight = np.cos(np.radians(zonal.latitude))
    there = [(name, title, factor) for name, title, factor in wanted if name in zonal]
    if not there:
        return []
    body = tuple(
        (
            label(str(run)),
            *(number(float(zonal[name].sel(run=run).weighted(weight).mean()) * factor) for name, _, factor in there),
        )
        for run in zonal.run.values
    )
    return [Table(("global means", *(title for _, title, _ in there)), body)]
