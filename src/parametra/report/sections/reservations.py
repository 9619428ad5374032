"""Reservations of the extrapolation study, said plainly."""

from parametra.report.reader import RunReader
from parametra.report.section import Bullets, Section

LEAD = "What these figures do not say."
ITEMS = (
    "The architecture is a reconstruction. Of Tan (2019, arXiv 1902.03440) we know the abstract; no number here reproduces one "
    "there.",
    "The logistic map is a polynomial, affine in r. A sparse library finds exactly that; no network beats it on clean series.",
    "What is of low order in the control extrapolates; what is not, does not. Edge validation sees only as far as the edge.",
    "States that no series visits are extrapolation too: series that settle on the attractor say little about the rest.",
    "Landmarks belong to maps with one hump. For other systems the score is an exponent, which converges slowly.",
    "The guard asks models that agree on the data. Models that are wrong in the same way agree.",
    "With noise of 0.1 percent the flat maximum and the sine are not extrapolated: nearly all failures that the guard is judged "
    "on are theirs, as its table says.",
)


def section(run: RunReader) -> Section | None:
    """Sentences for the extrapolation study."""
    return Section("reservations", "Limits", LEAD, (Bullets(ITEMS),))
