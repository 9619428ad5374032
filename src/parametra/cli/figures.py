"""The figures of a run as a table on the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parametra.store.metrics import Metric

MARKS = {True: ("reached", "green"), False: ("missed", "red"), None: ("", "default")}


def show_metrics(rows: Sequence[Metric], console: Console | None = None) -> None:
    """Print name, value, target and whether it was reached, of the figures that have a target; a missed target is red."""
    stated = [row for row in rows if row.target is not None]
    if not stated:
        return
    table = Table(box=None, pad_edge=False)
    for column in ("figure", "value", "unit", "target", ""):
        table.add_column(column, justify="right" if column == "value" else "left")
    for row in stated:
        word, style = MARKS[row.passed]
        table.add_row(Text(row.name), f"{row.value:.4g}", Text(row.unit), Text(target_text(row)), Text(word, style=style))
    console = console or Console()
    console.print(table)
    console.print(f"{len(rows) - len(stated)} further figures without a target are in metrics.json and on the page.")


def target_text(row: Metric) -> str:
    """The target in words: "<= 3", ">= 0.6", "2.5 to 4", or nothing."""
    if row.target is None:
        return ""
    if isinstance(row.target, Sequence):
        return f"{row.target[0]:g} to {row.target[1]:g}"
    return f"{'<=' if row.better == 'lower' else '>='} {row.target:g}"
