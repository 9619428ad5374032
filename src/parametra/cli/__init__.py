"""The command line, one module per verb; nothing heavy is imported before a verb needs it."""

from parametra.cli.main import app as app
