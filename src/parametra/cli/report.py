"""`parametra report`."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a run folder")],
    watch: Annotated[bool, typer.Option("--watch", help="make the page again and again while the run goes on")] = False,
    every: Annotated[float, typer.Option(min=1.0, help="seconds between two pages of --watch")] = 30.0,
) -> None:
    """Make the page again from a run folder, on any machine."""
    import time

    from parametra.report import build
    from parametra.store.runfolder import RunFolder

    RunFolder.read(folder)
    refresh = every if watch else None
    typer.echo(f"page: {build(folder, refresh)}")
    while watch:
        time.sleep(every)
        build(folder, refresh)
