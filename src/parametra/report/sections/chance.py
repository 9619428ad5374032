"""Every score beside chance: what the two halves of the truth make of it, and whether the sample is long enough to mean it."""

import numpy as np

from parametra.report.figures.dots import ratios
from parametra.report.figures.palette import label
from parametra.report.formatting import number, with_unit
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Part, Section, Table, missing

TITLE = "Every score beside chance"
LEAD = (
    "Scores of the paper's figures R1 to R6 against the truth, and the same score between the two halves of the truth, which are "
    "one climate. The dot is the ratio of the two departures from a perfect score."
)
READING = (
    "How to read it. Two halves differ by twice what the whole truth errs by, so chance alone puts a long run of the very same "
    "climate at about one half, and a run as long as the truth at 0.7; of correlations the root of the departure is taken. Up to "
    "2 the difference is small beside what this record can tell. Beyond 2 a field, which averages many numbers, really differs; "
    "a single number (a latitude, a quantile, a slope), whose halves may agree by luck, gets there by chance in one case of five "
    "or six. The last columns say whether the truth is long enough for the figure at all."
)


def section(run: RunReader) -> Section | None:
    """A figure of ratios and the table of scores."""
    data = run.fields("yardstick")
    if data is None:
        return missing("chance", TITLE, LEAD, run.why_missing("yardstick"))
    runs = [str(name) for name in data.run.values]
    shown = np.isfinite(data.ratio.values).any(0)
    words = [f"{figure}  {text}" for figure, text in zip(data.figure.values, data.words.values, strict=True)]
    parts: list[Part] = []
    if shown.any():
        drawing = ratios(
            [word for word, there in zip(words, shown, strict=True) if there],
            {name: data.ratio.sel(run=name).values[shown] for name in runs},
            run.palette, "Departure from the truth, in units of the truth's own split half", "times the split half", 2.0,
        )  # fmt: skip
        parts.append(Panels((Figure(drawing),), columns=1))
    head = (
        "score",
        "split half",
        *(label(name) for name in runs),
        *(f"{label(name)} / split half" for name in runs),
        "sample",
        "because",
    )
    body = []
    for index, text in enumerate(words):
        one = data.isel(score=index)
        unit = str(one.unit.values)
        body.append(
            (
                text,
                with_unit(float(one.split_half), unit),
                *(with_unit(float(one.value.sel(run=name)), unit) for name in runs),
                *(number(float(one.ratio.sel(run=name))) for name in runs),
                str(one.word.values),
                str(one.why.values),
            )
        )
    parts += [Table(head, tuple(body)), Note(READING)]
    return Section("chance", TITLE, LEAD, tuple(parts))


def sample(run: RunReader, *scores: str) -> tuple[Note, ...]:
    """Whether the sample is long enough for a figure, from the verdicts of its scores; nothing where there are none."""
    data = run.fields("yardstick")
    if data is None:
        return ()
    known = [str(name) for name in data.score.values]
    rows = [data.sel(score=name) for name in scores if name in known]
    if not rows:
        return ()
    order = ("too short", "barely", "long enough")
    worst = min((str(row.word.values) for row in rows), key=order.index)
    sentence = {
        "long enough": "Long enough to mean it",
        "barely": "Barely long enough: read it as a hint",
        "too short": "Too short to mean it: what differs here may be weather",
    }[worst]
    because = "; ".join(dict.fromkeys(f"{row.words.values}: {row.why.values}" for row in rows))
    return (Note(f"Is the sample long enough? {sentence}. ({because}.)", "plain" if worst == "long enough" else "warning"),)
