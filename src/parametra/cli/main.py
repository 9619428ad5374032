"""The five verbs, and how an error becomes one sentence and an exit code."""

from typing import Any

import typer
from typer.core import TyperGroup

from parametra.cli.doctor import doctor
from parametra.cli.export import export
from parametra.cli.listing import list_studies
from parametra.cli.report import report
from parametra.cli.run import run
from parametra.core.errors import ParametraError

INTERRUPTED = 130  # what a shell expects after Ctrl-C


class SentenceGroup(TyperGroup):
    """Shows an error that the user can act on as its sentence, without a traceback, and exits with the error's code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except ParametraError as error:
            typer.echo(f"parametra: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=SentenceGroup,
    help="Neural networks that stand in for the expensive part of a simulation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(run)
app.command("list")(list_studies)
app.command()(report)
app.command()(export)
app.command()(doctor)
