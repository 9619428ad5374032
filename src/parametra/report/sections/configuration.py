"""Configuration: every value that made this run."""

from parametra.report.reader import RunReader
from parametra.report.section import Code, Section

LEAD = "The resolved configuration, defaults included. The same file gives the same run."


def section(run: RunReader) -> Section | None:
    """config.toml, folded."""
    return Section("configuration", "Configuration", LEAD, (Code("config.toml", run.config_text),))
