"""Is the sample long enough to mean it? One word per figure, from the record itself, and the reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.contents import Trend, energy_drift
from parametra.climate.diagnostics.waves import LEAST_WINDOWS

Word = Literal["long enough", "barely", "too short"]
DRIFT_RESOLUTION = 0.05  # W m-2: what a drift of the column's energy is asked to stay below


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


def difference_verdict(split_half: float, matters: float | int, unit: str) -> Verdict:
    """Of a difference of means: does the record see one that matters?

    Each half errs by sqrt(2) times what the whole does, so the difference of the halves is twice the error of the whole record's
    mean: up to half of what matters it is long enough, up to all of it barely.
    """
    error = 0.5 * abs(split_half)
    if not np.isfinite(error):
        return Verdict("too short", "the halves of the truth cannot be compared")
    word: Word = "long enough" if error <= 0.5 * matters else "barely" if error <= matters else "too short"
    return Verdict(word, f"the truth's mean errs by about {error:.2g} {unit}, a difference of {matters:g} should show")


def interval_verdict(value: float, low: float, high: float, blocks: int) -> Verdict:
    """Of a single figure: an interval within 10 % of the value is long enough, within 30 % barely.

    An interval from fewer than ten independent blocks is too narrow more often than not: then the word is barely at best.
    """
    if not np.isfinite([value, low, high]).all() or value == 0:
        return Verdict("too short", "no interval: fewer than four independent blocks, or nothing in the tail")
    half = 0.5 * (high - low) / abs(value)
    word: Word = "long enough" if half <= 0.1 and blocks >= 10 else "barely" if half <= 0.3 else "too short"
    return Verdict(word, f"the truth's own interval is ±{100 * half:.0f} %, from {blocks} independent blocks")


def window_verdict(windows_in_half: int) -> Verdict:
    """Of a spectrum: ten windows in each half of the record; half of that is barely."""
    least = LEAST_WINDOWS
    word: Word = "long enough" if windows_in_half >= least else "barely" if 2 * windows_in_half >= least else "too short"
    return Verdict(word, f"{windows_in_half} independent windows in each half of the truth, {least} are needed for a wave")


def trend_verdict(found: Trend, resolution: float | int, unit: str) -> Verdict:
    """Of a drift: an interval of half-width up to `resolution` is long enough, up to three times that barely."""
    half = 0.5 * (found.high - found.low)
    if not np.isfinite(half):
        return Verdict("too short", f"worth {found.independent:.1f} independent days, ten are needed")
    word: Word = "long enough" if half <= resolution else "barely" if half <= 3 * resolution else "too short"
    return Verdict(word, f"known to ±{half:.2g} {unit}, wanted ±{resolution:.2g}")


def energy_drifts(records: Mapping[str, xr.Dataset], resolution: float | int = DRIFT_RESOLUTION) -> xr.Dataset:
    """Drift of the mean column's energy of every record, and whether the record is long enough for it.

    Args:
        records: name -> what `energy_drift` takes.
        resolution: half-width of an interval that is long enough [W m-2].

    Returns:
        drift, drift_low, drift_high [W m-2], drift_word and drift_why, dims (run,).

    Raises:
        DataError: a record lacks what the contents need.
    """
    found = [energy_drift(record) for record in records.values()]
    verdicts = [trend_verdict(one, resolution, "W/m²") for one in found]
    columns = {
        "drift": [one.slope for one in found],
        "drift_low": [one.low for one in found],
        "drift_high": [one.high for one in found],
        "drift_word": [verdict.word for verdict in verdicts],
        "drift_why": [verdict.why for verdict in verdicts],
    }
    return xr.Dataset({name: ("run", values) for name, values in columns.items()}, {"run": list(records)})
