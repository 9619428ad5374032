"""Other systems, and a control that nobody knows."""

import numpy as np

from parametra.report.figures.bifurcation import curves, dots
from parametra.report.formatting import number
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Part, Section, Table, missing
from parametra.report.sections.landmarks import WORDS

TITLE = "Other systems"
LEAD = (
    "The same protocol where the recipe of the logistic map does not fit: a flat maximum of order four, a control that enters by "
    "a sine, a population in log(x'/x), a map of two variables, a flow; and series whose control is unknown."
)
CHOSEN = "chosen: "
TITLES = {
    "quartic": "Quartic: a maximum of order four",
    "sine-law": "Sine law: the control enters by a sine",
    "ricker": "Ricker: a population",
    "henon": "Hénon: two variables",
    "lorenz63": "Lorenz-63: a flow",
}


def section(run: RunReader) -> Section | None:
    """Errors of every system by seed, the design chosen, and the learned number against r."""
    figures, rows, reasons = [], [], []
    done = run.folder.stage_done("systems") or {}
    for name, title in TITLES.items():
        fields = run.fields(f"system-{name}")
        if fields is None:
            continue
        labels = [str(figure) for figure in fields.figure.values]
        shown = [label for label in labels if not label.endswith(", plain")]
        groups = {"chosen by edge validation": [fields.error.sel(figure=label).values for label in shown]}
        plain = [f"{label}, plain" for label in shown]
        if all(label in labels for label in plain):
            groups["baseline, not a candidate"] = [fields.error.sel(figure=label).values for label in plain]
        short = [WORDS.get(label, label.replace("exponent at ", "exponent at control ")) for label in shown]
        unit = "relative error of the exponent" if "exponent" in shown[0] else "error in the control"
        lost = [f"{n} in {k} of {fields.sizes['seed']}" for n, k in zip(short, _missing(groups), strict=True) if k]
        note = f" Not found: {', '.join(lost)}." if lost else ""
        figures.append(Figure(dots(groups, short, title, unit, least=1e-14), f"Every seed a dot, medians as bars.{note}"))
        table = done.get("tables", {}).get(name, [])
        chosen = [row["design"].removeprefix(CHOSEN) for row in table if row["design"].startswith(CHOSEN)]
        candidates = [row for row in table if not row["design"].startswith(CHOSEN)]
        reasons += _reason(title.split(":")[0], candidates, chosen)
        for row in candidates:
            mark = " (chosen)" if row["design"] in chosen else ""
            rows.append((title.split(":")[0], row["design"] + mark, _text(row["edge"]), _text(row["parameters"])))
    unknown = run.fields("unknown")
    if unknown is not None:
        order = np.argsort(unknown.r.values)
        lines = {f"noise {noise}": unknown[f"found_{i}"].values[order] for i, noise in enumerate(("0", "0.001"))}
        drawing = curves(unknown.r.values[order], lines, "r not given", "true r", "learned number")
        figures.append(
            Figure(drawing, "One learned number per series against the r that it never saw; a straight line is right.")
        )
    if not figures:
        return missing("others", TITLE, LEAD, "Not there yet: no stage has learned another system.")
    head = ("system", "design", "error on the edge", "free numbers")
    table = Table(head, tuple(rows), "Candidates by their error on the edge; first seed.")
    parts: list[Part] = [Panels(tuple(figures), columns=2), *([table] if rows else [])]
    if reasons:
        parts.append(
            Note("Why these: the edge was not fitted, and a law that does not fit the system misses it. " + " ".join(reasons))
        )
    guarded = (run.folder.stage_done("guard") or {}).get("by_system", [])
    if guarded:
        columns = ("system", "runs", "failed", "caught", "false_alarms")
        cells = tuple(tuple(str(row[name]) for name in columns) for row in guarded)
        caption = "The guard on noisy series of seeds of its own: failed extrapolations, those it flags, good ones it flags."
        parts.append(Table((*columns[:2], "failed", "failed and flagged", "good and flagged"), cells, caption))
    return Section("others", TITLE, LEAD, tuple(parts))


def _reason(system: str, candidates: list[dict], chosen: list[str]) -> list[str]:
    """The chosen design's error on the edge beside that of the candidate that errs most."""
    own = [row for row in candidates if row["design"] in chosen and row["edge"] is not None]
    worst = max((row for row in candidates if row["edge"] is not None), key=lambda row: row["edge"], default=None)
    if not own or worst is None or worst is own[0]:
        return []
    return [f"{system}: {own[0]['design']} errs by {number(own[0]['edge'])}, {worst['design']} by {number(worst['edge'])}."]


def _missing(groups: dict[str, list[np.ndarray]]) -> list[int]:
    """How many seeds of the chosen designs have no value, by figure."""
    return [int(np.isnan(values).sum()) for values in groups["chosen by edge validation"]]


def _text(value: float | int | None) -> str:
    return "" if value is None else number(value)
