"""`parametra doctor`."""

import typer


def doctor() -> None:
    """Show versions, devices, cores, memory and disk, and check in a second that the parts work together."""
    from parametra.studies.health import examine

    for line in examine():
        typer.echo(line)
