"""Every test runs with shapes and types checked at run time."""

from hypothesis import settings
from jaxtyping import install_import_hook

settings.register_profile("parametra", deadline=None, max_examples=20, print_blob=True)
settings.load_profile("parametra")

hook = install_import_hook("parametra", "beartype.beartype")
hook.__enter__()
