"""The import rules of the house hold: a room needs nothing from the rooms above it, and a page needs no jax."""

import ast
from pathlib import Path

import pytest

import parametra

ROOT = Path(parametra.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

LEARNED = {"weights", "networks", "learn", "wide", "dynamics"}
MAY_IMPORT = {
    "core": set(),
    "store": {"core"},
    "parallel": {"core"},
    "weights": {"core"},
    "torch": {"core"},
    "networks": {"core", "weights"},
    "learn": {"core", "store", "parallel", "weights", "networks"},
    "wide": {"core", "store", "parallel", "weights", "networks", "learn"},
    "coupling": {"core", "store", "parallel"},
    "dynamics": {"core", "store", "parallel", "weights", "networks", "learn", "wide", "coupling"},
    "climate": {"core", "store", "parallel", "coupling"},
    "report": {"core", "store"},
    "studies": {"core", "store", "parallel", "weights", "networks", "learn", "wide", "coupling", "dynamics", "climate", "report"},
    "cli": {"core", "store", "report", "studies"},
}
EMULATED = ("climate/emulator/", "climate/schemes/emulated.py")
WITH_JAX = {"store/checkpoints.py", "store/exports.py", "store/fortran.py", "store/fortran_statements.py"}
WITHOUT_JAX = ("report/", "cli/", "core/", "store/", "studies/base.py", "studies/registry.py", "studies/requirements.py",
               "studies/runner.py", "studies/climate/__init__.py", "studies/climate/config.py",
               "studies/wide/__init__.py", "studies/wide/config.py", "studies/symmetry/__init__.py", "studies/symmetry/config.py",
               "studies/spectral/__init__.py", "studies/spectral/config.py",
               "studies/extrapolation/__init__.py", "studies/extrapolation/config.py", "dynamics/design.py")  # fmt: skip
JAX = {"jax", "jaxtyping", "equinox", "optax", "paramax", "diffrax", "lineax", "optimistix", "dinosaur", "orbax"}


def imported(file, everywhere=True):
    """Dotted names that a file imports; those of module level only, unless everywhere."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name_of(file):
    return file.relative_to(ROOT).as_posix()


def reached(name, seen):
    """Files of ours that importing the module `name` runs, packages on the way included."""
    parts = name.split(".")[1:]
    for depth in range(len(parts) + 1):
        base = ROOT.joinpath(*parts[:depth])
        for file in (base / "__init__.py", base.with_suffix(".py")):
            if file.exists() and file not in seen and ROOT in (file.parent, *file.parents):
                seen.add(file)
                for inner in imported(file, everywhere=False):
                    if inner.startswith("parametra"):
                        reached(inner, seen)
    return seen


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_room_needs_nothing_from_above(file):
    room = name_of(file).split("/")[0]
    if room == "__init__.py":
        return
    allowed = MAY_IMPORT[room] | {room} | (LEARNED if name_of(file).startswith(EMULATED) else set())
    used = {name.split(".")[1] for name in imported(file) if name.startswith("parametra.")}
    assert used <= allowed, f"{name_of(file)} imports from {sorted(used - allowed)}"


@pytest.mark.parametrize("file", [file for file in FILES if name_of(file).startswith(WITHOUT_JAX)], ids=name_of)
def test_what_must_answer_at_once_reaches_no_jax(file):
    if name_of(file) in WITH_JAX:
        return
    module = ".".join(("parametra", *file.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for part in sorted(reached(module, set())):
        heavy = {name.split(".")[0] for name in imported(part, everywhere=False)} & JAX
        assert not heavy, f"{name_of(file)} reaches {name_of(part)}, which imports {sorted(heavy)}"


@pytest.mark.parametrize("file", [file for file in FILES if name_of(file).startswith("cli/")], ids=name_of)
def test_commands_import_heavy_things_inside(file):
    ours = ("parametra.cli", "parametra.core.errors", "parametra.store.metrics")
    for name in imported(file, everywhere=False):
        top = name.split(".")[0]
        assert name.startswith(ours) or top in {"typer", "rich", "os", "sys", "pathlib", "typing", "enum", "collections"}, name


def holds_only_names(body):
    """Imports, plain assignments, and the choice between names for the type checker and names found when asked for."""
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            if not holds_only_names([*node.body, *node.orelse]):
                return False
        elif not isinstance(node, ast.Expr | ast.Import | ast.ImportFrom | ast.Assign):
            return False
    return True


def test_packages_are_tables_of_contents():
    for file in FILES:
        if file.name == "__init__.py":
            assert holds_only_names(ast.parse(file.read_text(encoding="utf-8")).body), f"{name_of(file)} holds logic"


def test_only_public_jax():
    for file in FILES:
        private = [name for name in imported(file) if name.startswith(("jax._src", "jaxlib", "jax.core"))]
        assert not private, f"{name_of(file)} imports {private}"
