"""The table of figures, grouped by kind."""

from dataclasses import dataclass

from parametra.report.formatting import number, target, unit
from parametra.store.metrics import Metric

KINDS = {
    "physics": ("Physics", "What must hold: laws, counts, exact results."),
    "skill": ("Skill", "How well networks do what they were trained for."),
    "cost": ("Cost", "Measured on this machine, in this run."),
}


@dataclass(frozen=True)
class Row:
    """One figure as text; `state` is pass, miss or none."""

    name: str
    value: str
    unit: str
    target: str
    state: str
    source: str


@dataclass(frozen=True)
class Group:
    """Figures of one kind: those with a target, the others, and how many of the former reach it."""

    title: str
    lead: str
    rows: tuple[Row, ...]
    others: tuple[Row, ...]
    reached: int
    judged: int


def groups(metrics: list[Metric]) -> tuple[Group, ...]:
    """Figures by kind, in the order physics, skill, cost; kinds without figures are left out."""
    found = []
    for kind, (title, lead) in KINDS.items():
        mine = [row for row in metrics if row.kind == kind]
        if mine:
            judged = [row for row in mine if row.passed is not None]
            others = [row for row in mine if row.passed is None]
            reached = sum(bool(row.passed) for row in judged)
            found.append(Group(title, lead, tuple(map(_row, judged)), tuple(map(_row, others)), reached, len(judged)))
    return tuple(found)


def _row(row: Metric) -> Row:
    state = {True: "pass", False: "miss", None: "none"}[row.passed]
    return Row(row.name, number(row.value), unit(row.unit), target(row), state, row.source)
