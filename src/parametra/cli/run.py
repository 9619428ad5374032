"""`parametra run`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def run(
    target: Annotated[str, typer.Argument(metavar="STUDY/PRESET", help="what to run, see `parametra list`")],
    out: Annotated[Path | None, typer.Option(help="the run folder [default: runs/STUDY-PRESET]")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="change a value of the preset")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="STAGE", help="stop after this stage")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="move an old folder aside and start anew")] = False,
) -> None:
    """Run a study, or go on with one: everything goes into one folder, and a page is made of it.

    Exit codes: 0 done; 2 something to correct in the command, the configuration or the folder; 3 the simulation stopped for a
    physical reason; 130 interrupted.
    """
    from parametra.cli.figures import show_metrics
    from parametra.studies.registry import split
    from parametra.studies.runner import default_folder, run_study

    study, preset = split(target)
    path = out or default_folder(study, preset)
    keep_programs(path)
    folder = run_study(study, preset, path, overrides or [], until, fresh)
    show_metrics(folder.metrics())
    typer.echo(f"page: {folder.path / 'report.html'}")


def keep_programs(path: Path) -> None:
    """Have jax keep what it compiles beside the run: one that goes on compiles nothing twice. A directory of the user's stays."""
    from parametra.core.files import COMPILED

    if "jax" not in sys.modules:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(path.resolve() / COMPILED))
