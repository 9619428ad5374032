"""Every test runs with shapes and types checked at run time."""

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

settings.register_profile("parametra", deadline=None, max_examples=20, print_blob=True)
settings.load_profile("parametra")

hook = install_import_hook("parametra", "beartype.beartype")
hook.__enter__()


TOGETHER = {"studies/climate": "climate study"}  # tests of these folders share a finished run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Workers take whole files, or whole folders where those share something dear."""
    for item in items:
        place = item.path.as_posix()
        group = next((name for folder, name in TOGETHER.items() if folder in place), place)
        item.add_marker(pytest.mark.xdist_group(group))
