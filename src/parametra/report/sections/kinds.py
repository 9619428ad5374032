"""Kinds of networks: what a change in size, data, norm or host does to skill and climate."""

import numpy as np
import xarray as xr
from scipy.stats import fisher_exact

from parametra.report.formatting import number
from parametra.report.reader import RunReader
from parametra.report.section import Note, Section, Table

TITLE = "Kinds of networks"
LEAD = (
    "Each kind differs from the first one in what the second column says, and its networks from each other in their seeds. "
    "A better fit of single steps need not be a better climate."
)
COLUMNS = (
    ("r2_heating", "R² heating, {steps}"),
    ("r2_moistening", "R² moistening, {steps}"),
    ("zonal_temperature_rms", "zonal-mean T, rms [K]"),
    ("rain_profile_r", "rain profile, r"),
)


def section(run: RunReader) -> Section | None:
    """One line per kind: means over seeds, and the range; None where there is only one kind."""
    data = run.fields("kinds")
    if data is None or len(kinds := list(dict.fromkeys(data.kind.values))) < 2:
        return None
    rows = []
    for kind in kinds:
        here = data.isel(network=np.flatnonzero(data.kind.values == kind))
        kept, count = int(here.kept.sum()), here.sizes["network"]
        rows.append(
            (str(kind), str(here.differs.values[0]) or "–", f"{kept} of {count}", *(_spread(here[key]) for key, _ in COLUMNS))
        )
    head = ("kind", "differs in", "keep the climate", *(words.format(steps=run.single_steps) for _, words in COLUMNS))
    notes = [
        "Means over seeds, in brackets from the smallest to the largest; climates of networks that ran to the end of their trial."
    ]
    counts = {int((data.kind.values == kind).sum()) for kind in kinds}
    if len(counts) == 1:
        seeds = counts.pop()
        _, chance = fisher_exact([[seeds, 0], [0, seeds]])
        notes.append(f"All of {seeds} against none of {seeds} comes by chance with p = {chance:.2g} (Fisher).")
    return Section("kinds", TITLE, LEAD, (Table(head, tuple(rows)), Note(" ".join(notes))))


def _spread(values: xr.DataArray) -> str:
    there = values.values[np.isfinite(values.values)]
    if not there.size:
        return "–"
    mean = number(float(there.mean()))
    return mean if there.size == 1 else f"{mean} ({number(float(there.min()))} to {number(float(there.max()))})"
