"""Symmetric weights on images: residual networks beside free ones as wide, of equal parameters and of equal time."""

from parametra.report.reader import RunReader
from parametra.report.section import Note, Section, missing
from parametra.report.sections.contests import Contest
from parametra.report.sections.stages import payload_of, skipped

TITLE = "Images"
LEAD = (
    "Residual networks with a symmetry in their 3 x 3 kernels. The honest rival is not the free network of the same width but a "
    "narrower one with as many parameters, or one that trains as long. Lower and further left is better."
)


def section(run: RunReader) -> Section | None:
    """Fronts, curves and rivals."""
    data = run.fields("images")
    if data is None:
        return skipped(run, "images", TITLE, LEAD) or missing("images", TITLE, LEAD, run.why_missing("images"))
    contest = Contest(data, "test error [%]", lambda share: 100 * share, lambda own, rival: own - rival, "difference [points]")
    return Section("images", TITLE, LEAD, (Note(f"{payload_of(run, 'images').get('data', '')}."), *contest.parts()))
