"""jcm, or one sentence that says how to get it."""

from importlib.metadata import PackageNotFoundError, version

from parametra.core.errors import UsageError

WANTED = "3.0.0"


def _version() -> str:
    try:
        found = version("jcm")
    except PackageNotFoundError:
        found = "none"
    if found != WANTED:
        raise UsageError(
            f'parametra.climate.foreign needs jcm {WANTED}, found {found}. Remedy: pip install "parametra[jcm]" on Python 3.11; '
            "jcm changes its interface with every major version, and this one does not run with the JAX of later Pythons."
        )
    return found


JCM_VERSION = _version()
