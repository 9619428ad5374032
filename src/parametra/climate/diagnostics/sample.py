"""Is the sample long enough to mean it? One word per figure, from the record itself, and the reason."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from parametra.climate.diagnostics.contents import Trend
from parametra.climate.diagnostics.waves import LEAST_WINDOWS

Word = Literal["long enough", "barely", "too short"]


@dataclass(frozen=True)
class Verdict:
    """A word, and why."""

    word: Word
    why: str


def pattern_verdict(split_half_r: float) -> Verdict:
    """Of a mean field: is its pattern that of the climate, or of the weather that happened?

    The correlation r of two halves gives 2 r/(1 + r), the correlation to expect between the whole record's pattern and that of an
    equally long other one (Spearman 1910, Brown 1910): 0.95 is long enough, 0.8 barely.
    """
    if not np.isfinite(split_half_r):
        return Verdict("too short", "the halves of the truth cannot be compared")
    reliability = 2.0 * split_half_r / (1.0 + split_half_r) if split_half_r > 0 else 0.0
    why = f"halves of the truth correlate at {split_half_r:.3f}, the whole record's pattern is known to r = {reliability:.3f}"
    return Verdict("long enough" if reliability >= 0.95 else "barely" if reliability >= 0.8 else "too short", why)


def interval_verdict(value: float, low: float, high: float, what: str = "the truth's own interval") -> Verdict:
    """Of a single figure: an interval within 10 % of the value is long enough, within 30 % barely."""
    if not np.isfinite([value, low, high]).all() or value == 0:
        return Verdict("too short", f"{what} cannot be given: fewer than four independent blocks, or nothing in the tail")
    half = 0.5 * (high - low) / abs(value)
    word: Word = "long enough" if half <= 0.1 else "barely" if half <= 0.3 else "too short"
    return Verdict(word, f"{what} is ±{100 * half:.0f} %")


def window_verdict(windows_in_half: int) -> Verdict:
    """Of a spectrum: ten windows in each half of the record; half of that is barely."""
    least = LEAST_WINDOWS
    word: Word = "long enough" if windows_in_half >= least else "barely" if 2 * windows_in_half >= least else "too short"
    return Verdict(word, f"{windows_in_half} windows in each half of the truth, {least} are needed to claim a wave")


def trend_verdict(found: Trend, resolution: float, unit: str) -> Verdict:
    """Of a drift: an interval of half-width up to `resolution` is long enough, up to three times that barely."""
    half = 0.5 * (found.high - found.low)
    if not np.isfinite(half):
        return Verdict("too short", f"worth {found.independent:.1f} independent days, ten are needed")
    word: Word = "long enough" if half <= resolution else "barely" if half <= 3 * resolution else "too short"
    return Verdict(word, f"known to ±{half:.2g} {unit}, wanted ±{resolution:.2g}")
