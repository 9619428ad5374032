"""Which studies there are. Each is imported when it is asked for; a study's own module must not import jax."""

import difflib
import importlib

from parametra.core.errors import UsageError
from parametra.studies.base import Study

STUDIES = {name: f"parametra.studies.{name}" for name in ("climate", "extrapolation", "spectral", "symmetry", "wide")}


def find(name: str) -> Study:
    """The study `name`; UsageError for an unknown one."""
    if name not in STUDIES:
        close = difflib.get_close_matches(name, STUDIES, n=1)
        hint = f' Did you mean "{close[0]}"?' if close else ""
        raise UsageError(f'There is no study "{name}".{hint} Known studies: {", ".join(STUDIES)}.')
    return importlib.import_module(STUDIES[name]).STUDY


def split(target: str) -> tuple[Study, str]:
    """The study and the preset of "STUDY/PRESET"; UsageError if either is unknown."""
    name, slash, preset = target.partition("/")
    if not slash:
        study = find(name)
        raise UsageError(
            f'"{target}" names no preset. Remedy: one of {", ".join(f"{name}/{known}" for known in study.presets())}.'
        )
    study = find(name)
    study.about(preset)
    return study, preset
