"""`parametra export`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Form(StrEnum):
    """What another program can read."""

    STABLEHLO = "stablehlo"
    ONNX = "onnx"
    FORTRAN = "fortran"


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a run folder")],
    to: Annotated[Form, typer.Option(help="the form to write")],
    network: Annotated[
        str | None, typer.Option(help="which network of the folder [default: the selected or the only one]")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="the file to write [default: DIR/exports/NAME and the form's ending]")] = None,
) -> None:
    """Write a trained network, normalisation inside, for use elsewhere."""
    from parametra.studies.exporting import export_network

    typer.echo(f"wrote: {export_network(folder, to.value, network, out)}")
