"""Puts the page together: headline, figures with targets, sections; one file that asks for nothing."""

from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from parametra.core.files import write_text
from parametra.report.headline import headline
from parametra.report.reader import RunReader
from parametra.report.scorecard import groups
from parametra.report.section import Section
from parametra.report.studies import sections_of


def build(path: Path, refresh_seconds: float | int | None = None) -> Path:
    """Write report.html into the run folder `path` and return its path.

    Whatever is not there yet is said in its place; so is a physical stop.

    Args:
        path: a run folder.
        refresh_seconds: the page asks the browser to load it again after so many seconds; never when None.

    Raises:
        DataError: `path` holds no run, or the page cannot be written.
    """
    run = RunReader(path)
    page = path / "report.html"
    write_text(page, render(run, sections_of(run.study), refresh_seconds))
    return page


def render(
    run: RunReader, makers: Sequence[Callable[[RunReader], Section | None]], refresh_seconds: float | int | None = None
) -> str:
    """The page as text, with the sections that `makers` find something to say in."""
    sections = [section for section in (make(run) for make in makers) if section is not None]
    environment = Environment(loader=PackageLoader("parametra.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("page.html.jinja").render(
        run=run,
        headline=headline(run),
        groups=groups(run.metrics),
        sections=sections,
        problems=list(dict.fromkeys(run.problems)),
        style=_file("style.css"),
        script=_file("slider.js"),
        refresh_seconds=refresh_seconds,
        svg=Markup,  # our own drawings: everything else is escaped
    )


def _file(name: str) -> Markup:
    return Markup((resources.files("parametra.report") / "templates" / name).read_text(encoding="utf-8"))
