"""Symmetric gates in language models, beside free ones as wide, of equal parameters and of equal time."""

from parametra.report.reader import RunReader
from parametra.report.section import Note, Section, missing
from parametra.report.sections.contests import Contest
from parametra.report.sections.stages import payload_of, skipped

TITLE = "Language"
LEAD = (
    "LSTM language models with symmetric gate matrices, hidden to hidden or all. Embedding and decoder stay free and hold most "
    "of the parameters, so a rival of equal parameters is only a little narrower. Lower perplexity is better."
)


def section(run: RunReader) -> Section | None:
    """Fronts, curves and rivals."""
    data = run.fields("language")
    if data is None:
        return skipped(run, "language", TITLE, LEAD) or missing("language", TITLE, LEAD, run.why_missing("language"))
    contest = Contest(data, "test perplexity", lambda value: value, lambda own, rival: own / rival, "ratio")
    return Section("language", TITLE, LEAD, (Note(f"{payload_of(run, 'language').get('data', '')}."), *contest.parts()))
