"""Noise around the network: how well draws tell what may happen, on the truth's columns."""

import numpy as np

from parametra.report.figures.lines import by_level
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Section

TITLE = "Noise around the network"
LEAD = (
    "A stochastic head draws what may happen around the network's mean. Its spread should be as large as the error of the mean "
    "(1), a draw as lively as the truth (1), and the continuous ranked probability score below the mean's absolute error (1): on "
    "columns of the scoring stretch. What it does in the coupled run stands above, in the sections on rain and variability."
)
WORDS = ("heating", "moistening")


def section(run: RunReader) -> Section | None:
    """Scores by level; None where no head was asked for."""
    data = run.fields("stochastic")
    if data is None:
        return None
    sigma = data.level.values
    figures = []
    for word in WORDS:
        said = data[f"mean_deviation_{word}"].values
        silent = ~(said > 0.0)  # no variance, no score
        score = data[f"draws_crps_{word}"].values / np.where(silent, np.nan, data[f"mean_crps_{word}"].values)
        lively = {
            "network_offline": np.where(silent, np.nan, said),
            "stochastic": np.where(silent, np.nan, data[f"draws_deviation_{word}"].values),
        }
        spread = {"stochastic": np.where(silent, np.nan, data[f"draws_spread_skill_{word}"].values)}
        for title, lines, label in (
            ("std over the truth's", lively, "ratio of standard deviations"),
            ("spread over error", spread, "spread over error of the mean"),
            ("CRPS over the mean's error", {"stochastic": score}, "ratio of scores"),
        ):
            drawing = by_level(
                sigma,
                lines,
                run.palette,
                f"{word.title()}: {title}",
                xlabel=label,
                limits=(0.0, 1.5),
                band_centre=np.ones(sigma.size),
            )
            figures.append(Figure(drawing))
    note = Note(f"{data.attrs['members']} draws of each column, {data.attrs['sample']}.")
    return Section("noise", TITLE, LEAD, (Panels(tuple(figures), columns=3), note))
