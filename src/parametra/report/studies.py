"""Which sections belong to which study, in the order of the page."""

from collections.abc import Callable
from importlib import import_module

from parametra.report.reader import RunReader
from parametra.report.section import Section

COMMON = ("speed", "configuration")
STUDIES: dict[str, tuple[str, ...]] = {
    "climate": (
        *(
            "world",
            "comparison",
            "chance",
            "rain",
            "variability",
            "noise",
            "waves",
            "energy",
            "skill",
            "ceiling",
            "drift",
            "kinds",
            "elsewhere",
            "lottery",
            "budgets",
        ),
        *("speed", "configuration", "limits"),
    ),
    "spectral": ("memory", "pixels", "words", "depth", "spectra", "margins", "speed", "configuration"),
    "wide": ("curves", "batches", "width", "parameterization", "distribution", "montecarlo", "speed", "configuration"),
    "symmetry": ("images", "language", "counts", "universal", "speed", "configuration"),
    "extrapolation": ("bifurcation", "landmarks", "designs", "others", "subgrid", "speed", "configuration", "reservations"),
}


def sections_of(study: str) -> list[Callable[[RunReader], Section | None]]:
    """The functions that make the sections of a study; those common to all where the study names none."""
    return [import_module(f"parametra.report.sections.{name}").section for name in STUDIES.get(study, COMMON)]
