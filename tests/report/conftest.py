"""Run folders for the page, made once."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def made_up() -> ModuleType:
    """The module that makes run folders (tests are not a package, so it is loaded by path)."""
    spec = importlib.util.spec_from_file_location("run_folder", Path(__file__).with_name("run_folder.py"))
    assert spec is not None and spec.loader is not None  # noqa: PT018
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def whole(made_up, tmp_path_factory) -> Path:
    """The page of a finished run with everything in it."""
    from parametra.report import build

    return build(made_up.make_run(tmp_path_factory.mktemp("whole") / "run"))
