"""The documentation is true: its Python runs, its commands parse, its studies, presets and keys exist."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from parametra.cli import app
from parametra.studies.registry import split

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELLS = ("sh", "bash", "shell", "console")


def blocks(page, *languages):
    return [match.group(2) for match in BLOCK.finditer(page.read_text(encoding="utf-8")) if match.group(1) in languages]


def commands(page):
    """The arguments of every `parametra` command in the page's shell blocks, wherever it stands in its line."""
    for block in blocks(page, *SHELLS):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|\||;|\|", line.removeprefix("$ ")):
                words = shlex.split(part, comments=True)
                if "parametra" in words:
                    yield words[words.index("parametra") + 1 :]


def parsed(arguments):
    """The verb and its values, as the real command line reads them; an error of usage is raised."""
    group = typer.main.get_command(app)
    with group.make_context("parametra", list(arguments), resilient_parsing=False) as context:
        name, verb, rest = group.resolve_command(context, [*context._protected_args, *context.args])  # pyright: ignore
        with verb.make_context(name, rest, parent=context) as inner:
            return name, inner.params


def test_there_is_a_page_with_a_command():
    assert list(commands(ROOT / "README.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": page.stem}
    for number, block in enumerate(blocks(page, "python"), 1):
        exec(compile(block, f"{page.name}, block {number}", "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_parse_and_name_what_exists(page):
    for arguments in commands(page):
        if "--help" in arguments:
            continue
        name, values = parsed(arguments)
        if name == "run":
            study, preset = split(values["target"])
            study.resolve(preset, values["overrides"] or [])
            stages = [stage.name for stage in study.stages]
            assert values["until"] in (None, *stages), f"{values['until']} is no stage of {study.name}: {stages}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_points_to_exist(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), f"{page.name} points to {target}"
