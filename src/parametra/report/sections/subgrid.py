"""Sub-grid closure: learned under weak forcing, used under strong forcing."""

from parametra.report.figures.bifurcation import curves
from parametra.report.formatting import number
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Section, Table, missing

TITLE = "A closure under stronger forcing"
LEAD = (
    "Two-scale Lorenz-96. The closure saw pairs of state X and sub-grid tendency U at weak forcing only; edge validation chose "
    "how it goes on outside them. Offline it is scored on truth at stronger forcing; coupled, it drives the slow variables on "
    "its own."
)


WORDS = {"family": "chosen closure", "linear": "linear closure", "none": "no closure", "truth": "truth"}


def section(run: RunReader) -> Section | None:
    """The law and its range, R2 by forcing, histograms of coupled runs, the ranking."""
    fields = run.fields("closure")
    if fields is None:
        return None if run.finished else missing("subgrid", TITLE, LEAD, run.why_missing("closure"))
    seeds, top = fields.sizes["seed"], float(fields.forcing.max())
    r2 = {WORDS[name]: fields.r2.sel(closure=name).values.T for name in ("family", "linear")}
    density = {WORDS[str(name)]: fields.density.sel(run=name).values for name in fields.run.values}
    laws = {WORDS[str(name)]: fields.tendency.sel(law=name).values for name in fields.law.values}
    seen = float(fields.attrs["low"]), float(fields.attrs["high"])
    figures = (
        Figure(
            curves(fields.x.values, laws, f"The law, and the truth at F = {top:g}", "X", "U", shaded=seen),
            f"Shaded: the states of training, F <= {fields.attrs['strongest_seen']:g}. Truth: mean of U at each X. First seed.",
        ),
        Figure(
            curves(fields.forcing.values, r2, "Offline", "forcing F", "R² of U", marker="o"),
            f"Share of the variance of U, at forcings never seen; a line for each of {seeds} truths.",
        ),
        Figure(
            curves(fields.x.values, density, f"Coupled, F = {top:g}", "X", "density"),
            "Histogram of X in runs that each closure drives. First seed.",
        ),
    )
    ranking = (run.folder.stage_done("closure") or {}).get("ranking", [])
    rows = tuple((row["design"], *(_text(row[name]) for name in ("forcing", "state", "score"))) for row in ranking)
    table = Table(
        ("design", "weak to strong forcing", "middle to tails of the states", "mean of all cuts"), rows,
        "Edge validation within the training forcings, first seed: share of the variance of U explained on pairs held out. The "
        "closure is the mean of the first three. A tail p grows like |X|^p; constant means one law for all forcings; poly1 is "
        "the linear closure.",
    )  # fmt: skip
    return Section("subgrid", TITLE, LEAD, (Panels(figures, columns=3), table))


def _text(value: float | None) -> str:
    return "failed" if value is None else number(value)
