"""Sub-grid closure: learned under weak forcing, used under strong forcing."""

from parametra.report.figures.bifurcation import curves
from parametra.report.formatting import number
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Section, Table, missing

TITLE = "A closure under stronger forcing"
LEAD = (
    "Two-scale Lorenz-96. The closure saw pairs of state and sub-grid tendency at weak forcing only; edge validation chose its "
    "scaling. Offline it is scored on truth at stronger forcing; coupled, it drives the slow variables on its own."
)


def section(run: RunReader) -> Section | None:
    """R2 by forcing, histograms of coupled runs, the ranking."""
    fields = run.fields("closure")
    if fields is None:
        return None if run.finished else missing("subgrid", TITLE, LEAD, run.why_missing("closure"))
    r2 = {"chosen family": fields.r2.sel(closure="family").values, "linear closure": fields.r2.sel(closure="linear").values}
    density = {str(name): fields.density.sel(run=name).values for name in fields.run.values}
    figures = (
        Figure(curves(fields.forcing.values, r2, "Offline", "forcing F", "R² of U", marker="o"), "Truth at forcings never seen."),
        Figure(
            curves(fields.x.values, density, "Coupled, strongest forcing", "X", "density"), "Histogram of X; black is the truth."
        ),
    )
    ranking = (run.folder.stage_done("closure") or {}).get("ranking", [])
    rows = tuple((row["design"], number(row["r2"])) for row in ranking[:8])
    table = Table(
        ("design", "R² on the stronger half of the training forcings, held out"), rows, "Edge validation of the scaling."
    )
    return Section("subgrid", TITLE, LEAD, (Panels(figures, columns=2), table))
