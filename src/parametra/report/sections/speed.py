"""Speed: what a step costs, and where the time of this run went."""

import re

import numpy as np

from parametra.report.figures.bars import rows
from parametra.report.formatting import duration, number, unit
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Part, Section, Table, missing

TITLE = "Speed"
LEAD = "Measured in this run, on this machine."
RATIOS = (
    " A ratio to the cloud-resolving model is worth what that model's own speed is worth: its cost per cell stands beside it."
)

RATIO = r"times faster|speed-?up"


def section(run: RunReader) -> Section | None:
    """Cost figures as a table, ratios and stage times as bars, and the machine."""
    parts: list[Part] = []
    costs = [row for row in run.metrics if row.kind == "cost"]
    figures = []
    ratios = [row for row in costs if re.search(RATIO, row.name) and np.isfinite(row.value) and row.value > 0]
    if len(ratios) > 1:
        values = np.array([row.value for row in ratios])
        texts = [f"{number(value)}×" for value in values]
        figures.append(Figure(rows([row.name for row in ratios], values, "Ratios", "times faster", log=True, texts=texts)))
    seconds = run.stage_seconds
    if seconds:
        texts = [duration(value) for value in seconds.values()]
        title = f"Time of the stages, {duration(sum(seconds.values()))} in all"
        figures.append(Figure(rows(list(seconds), np.array(list(seconds.values())), title, "seconds", texts=texts)))
    if figures:
        parts.append(Panels(tuple(figures), columns=2))
    if costs:
        parts.append(Table(("cost", "value", "unit"), tuple((row.name, number(row.value), unit(row.unit)) for row in costs)))
    if machine := _machine(run):
        parts.append(Note(machine))
    if not parts:
        return missing("speed", TITLE, LEAD, "Not there yet: no stage has finished.")
    lead = LEAD + RATIOS if any("CRM" in row.name for row in costs) else LEAD
    return Section("speed", TITLE, lead, tuple(parts))


def _machine(run: RunReader) -> str:
    """Device, machine and versions of the last start, as the run recorded them."""
    starts = [entry for entry in run.events if entry["event"] == "start"]
    if not starts:
        return ""
    parts = []
    for key in ("machine", "device", "versions"):
        value = starts[-1].get(key)
        if isinstance(value, dict):
            parts.append(", ".join(f"{name} {inner}" for name, inner in value.items()))
        elif value:
            parts.append(str(value))
    return "Machine and versions: " + "; ".join(parts) + "." if parts else ""
