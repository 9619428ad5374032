"""Designs: the ranking that edge validation gave, beside what it could not see."""

from parametra.report.formatting import number
from parametra.report.reader import RunReader
from parametra.report.section import Section, Table, missing

TITLE = "Choice of a design"
LEAD = (
    "Every candidate is fitted without the last quarter of the controls and judged by how well its own orbits follow the series "
    "held out there. The tables show the first seed only; other seeds may choose otherwise. Errors beyond the training range "
    "stand beside it for the reader; the choice does not see them."
)


def section(run: RunReader) -> Section | None:
    """One table for networks, one for sparse polynomials with a row for each kind of series."""
    logistic, networks = run.folder.stage_done("logistic"), run.folder.stage_done("networks")
    tables = []
    if networks:
        rows = tuple(
            (
                row["design"],
                _text(row["edge"]),
                str(row["parameters"]),
                *(_text(row[name]) for name in ("accumulation", "period3", "crisis")),
            )
            for row in networks["designs"]
        )
        head = ("trained network", "error on the edge", "free numbers", "onset", "period 3", "crisis")
        tables.append(
            Table(head, rows, "Networks, first seed, chosen one first. The hypernetwork is a reconstruction of Tan (2019).")
        )
    ranked = (logistic or {}).get("ranking", [])
    if ranked:
        rows = tuple(
            (
                f"{one['regime']}, noise {one['noise']:g}",
                one["chosen"],
                one["rows"][0][0],
                *(_text(one["rows"][i][1]) for i in (0, -1)),
            )
            for one in ranked
        )
        head = ("series", "chosen", "least error on the edge has", "least error", f"error of number {len(ranked[0]['rows'])}")
        caption = (
            "Sparse polynomials, first seed. Among designs that the edge cannot tell apart, the chosen one has the fewest "
            "terms. 'poly4, powers 2' is the library of degree 4 in the state and 2 in r, before terms are dropped."
        )
        tables.append(Table(head, rows, caption))
    if not tables:
        return missing("designs", TITLE, LEAD, "Not there yet: no stage has ranked designs.")
    return Section("designs", TITLE, LEAD, tuple(tables))


def _text(value: float | None) -> str:
    return "not found" if value is None else number(value)
