"""The first figure of the extrapolation study: the learned bifurcation diagram over the true one."""

import numpy as np

from parametra.report.figures.bifurcation import diagrams, exponents
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Section, missing

TITLE = "The diagram"
LEAD = (
    "A network saw only series from the shaded range, none of them chaotic. To the right of it nothing was ever shown to it: "
    "what is drawn there is the same network at other values of r. The first seed, whatever its rank; medians over seeds are "
    "among the figures."
)


def section(run: RunReader) -> Section | None:
    """Orbits and exponents of the exact map and of the learned family."""
    fields = run.fields("diagram")
    if fields is None:
        return missing("bifurcation", TITLE, LEAD, run.why_missing("diagram"))
    r, low, high = fields.r.values, float(fields.attrs["low"]), float(fields.attrs["high"])
    states, growth = fields.state.values, fields.exponent.values
    first = diagrams(r, states[0], states[1], low, high, "Logistic map: learned over exact", "r")
    second = exponents(r, growth[0], growth[1], low, high, "r")
    escaped = int(np.isnan(states[1]).all(axis=1).sum())
    note = f" The learned family escapes at {escaped} of {len(r)} values." if escaped else ""
    figures = (
        Figure(first, f"{len(r)} values of r, the last {states.shape[2]} states at each. Grey shows where blue misses it.{note}"),
        Figure(second, "Largest Lyapunov exponent per step; above zero is chaos. Dips are periodic windows."),
    )
    return Section("bifurcation", TITLE, LEAD, (Panels(figures, columns=1),))
