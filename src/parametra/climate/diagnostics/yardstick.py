"""Every score of a climate beside what chance makes of it: the same score between the two halves of the truth.

Scores are taken from daily summaries (`daily_summary`, or what a coupled run records), so truth, network and conventional scheme
go through the same lines.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.geometry import time_in_days
from parametra.climate.diagnostics.means import halves, zonal_climate
from parametra.climate.diagnostics.patterns import pattern_scores, rain_belt
from parametra.climate.diagnostics.precipitation import exceedance_quantiles, rain_exceeded, rain_histogram
from parametra.climate.diagnostics.sample import Verdict, difference_verdict, interval_verdict, pattern_verdict, window_verdict
from parametra.climate.diagnostics.scatter import energy_scatter
from parametra.climate.diagnostics.summary import HISTOGRAM
from parametra.climate.diagnostics.variability import mean_deviation, standard_deviation
from parametra.climate.diagnostics.waves import WaveRecipe, spectrum_correlation, wave_spectrum, window_count
from parametra.core.constants import SECONDS_PER_DAY
from parametra.core.errors import DataError, ParametraError

Pair = Callable[[xr.Dataset, xr.Dataset], float]


@dataclass(frozen=True)
class Score:
    """One score.

    Attributes:
        name: short name.
        figure: which figure of the first paper it belongs to.
        words: what it is.
        unit: as a reader writes it.
        perfect: its value for two equal climates of endless records.
        compute: from two daily summaries, run and reference.
        judge: whether the truth's summary is long enough for it.
    """

    name: str
    figure: str
    words: str
    unit: str
    perfect: float
    compute: Pair
    judge: Callable[[xr.Dataset], Verdict]

    @property
    def correlation(self) -> bool:
        """Whether it is a correlation, whose departure from one goes as the square of a difference."""
        return self.name.endswith("_r") or self.name == "wave_spectrum"


def _field(name: str, which: int, factor: float = 1.0) -> Pair:
    def compute(run: xr.Dataset, reference: xr.Dataset) -> float:
        a, b = (zonal_climate(side[[name]])[name] for side in (run, reference))
        return pattern_scores(a, b)[which] * (factor if which < 2 else 1.0)

    return compute


def _resolved(compute: Pair, matters: float, unit: str) -> Callable[[xr.Dataset], Verdict]:
    return lambda truth: difference_verdict(compute(*halves(truth)), matters, unit)


def _alike(name: str) -> Callable[[xr.Dataset], Verdict]:
    return lambda truth: pattern_verdict(_field(name, 2)(*halves(truth)))


def _belt(which: int) -> Pair:
    def compute(run: xr.Dataset, reference: xr.Dataset) -> float:
        a, b = (rain_belt(zonal_climate(side[["precipitation_flux"]]).precipitation_flux)[which] for side in (run, reference))
        return a - b

    return compute


def _deviation(name: str) -> Pair:
    def compute(run: xr.Dataset, reference: xr.Dataset) -> float:
        return mean_deviation(standard_deviation(run, name)) / mean_deviation(standard_deviation(reference, name))

    return compute


def _lively(name: str) -> Callable[[xr.Dataset], Verdict]:
    def judge(truth: xr.Dataset) -> Verdict:
        first, second = (standard_deviation(half, name) for half in halves(truth))
        return pattern_verdict(pattern_scores(first, second)[2])

    return judge


def _histogram(summary: xr.Dataset, steps: bool) -> xr.DataArray:
    return summary[HISTOGRAM] if steps else rain_histogram(summary.precipitation_flux)


def _quantile(exceedance: float, steps: bool) -> Pair:
    def compute(run: xr.Dataset, reference: xr.Dataset) -> float:
        a, b = (rain_exceeded(_histogram(side, steps), exceedance) for side in (run, reference))
        return a / b

    return compute


def _tail(exceedance: float, steps: bool) -> Callable[[xr.Dataset], Verdict]:
    def judge(truth: xr.Dataset) -> Verdict:
        found = exceedance_quantiles(_histogram(truth, steps), (exceedance,)).isel(exceedance=0)
        return interval_verdict(float(found.value), float(found.low), float(found.high), int(found.blocks))

    return judge


def _slope(run: xr.Dataset, reference: xr.Dataset) -> float:
    return energy_scatter(run)["slope"] - energy_scatter(reference)["slope"]


def _slope_known(truth: xr.Dataset) -> Verdict:
    return difference_verdict(_slope(*halves(truth)), 0.03, "of slope")


def _waves(recipe: WaveRecipe) -> Score:
    def compute(run: xr.Dataset, reference: xr.Dataset) -> float:
        spectrum, wanted = (wave_spectrum(side.precipitation_flux, recipe) for side in (run, reference))
        return spectrum_correlation(spectrum, wanted)

    def judge(truth: xr.Dataset) -> Verdict:
        days = time_in_days(truth.time)
        apart = replace(recipe, advance_days=recipe.window_days)  # windows that share days are not independent
        return window_verdict(window_count((days[-1] - days[0] + 1.0) / 2.0, apart))

    words = "wave spectrum over background, correlation of the log ratio"
    return Score("wave_spectrum", "R5", words, "1", 1.0, compute, judge)


def scores(recipe: WaveRecipe | None = None) -> tuple[Score, ...]:
    """All scores, in the order of the page; `recipe` is that of the wave spectrum."""
    heating, moistening = "tendency_of_air_temperature", "tendency_of_specific_humidity"
    means = (
        ("heating", "R1", heating, "K/day", SECONDS_PER_DAY, 0.3),
        ("moistening", "R1", moistening, "g/kg/day", 1e3 * SECONDS_PER_DAY, 0.15),
        ("temperature", "R2", "air_temperature", "K", 1.0, 1.0),
        ("humidity", "R2", "specific_humidity", "g/kg", 1e3, 0.3),
        ("precipitation", "R2", "precipitation_flux", "mm/day", SECONDS_PER_DAY, 0.5),
        ("long-wave out", "R2", "toa_outgoing_longwave_flux", "W/m²", 1.0, 4.0),
        ("short-wave in", "R2", "toa_net_downward_shortwave_flux", "W/m²", 1.0, 8.0),
    )
    table = []
    for word, figure, name, unit, factor, matters in means:
        rms = _field(name, 1, factor)
        judge = _resolved(rms, matters, unit)
        table.append(Score(f"{name}_rms", figure, f"mean {word}, rms difference", unit, 0.0, rms, judge))
        if figure == "R1" or name == "precipitation_flux":
            table.append(Score(f"{name}_r", figure, f"mean {word}, pattern correlation", "1", 1.0, _field(name, 2), _alike(name)))
    for which, words in enumerate(("rain belt, latitude, difference", "rain belt, full width at half its rain, difference")):
        judge = _resolved(_belt(which), 2.0, "degrees")
        table.append(Score(("rain_belt_latitude", "rain_belt_width")[which], "R1", words, "degrees", 0.0, _belt(which), judge))
    for steps, word in ((True, "single steps"), (False, "daily means")):
        for share in (0.01, 1e-3):
            words = f"precipitation exceeded {100 * share:g} % of the time, {word}, ratio"
            key = f"rain_{share:g}_{'steps' if steps else 'daily'}"
            table.append(Score(key, "R3", words, "1", 1.0, _quantile(share, steps), _tail(share, steps)))
    for word, name in (("heating", heating), ("moistening", moistening)):
        words = f"standard deviation of {word}, 180 hPa to surface, ratio"
        table.append(Score(f"deviation_{name}", "R4", words, "1", 1.0, _deviation(name), _lively(name)))
    table.append(_waves(recipe or WaveRecipe()))
    table.append(Score("energy_slope", "R6", "slope of the energy scatter, difference", "1", 0.0, _slope, _slope_known))
    return tuple(table)


def yardstick(truth: xr.Dataset, runs: Mapping[str, xr.Dataset], recipe: WaveRecipe | None = None) -> xr.Dataset:
    """Every score of every run against the truth, beside the score of one half of the truth against the other.

    Args:
        truth: daily summary of the truth.
        runs: name -> daily summary; what one does not hold is NaN.
        recipe: of the wave spectrum.

    Returns:
        value (run, score); split_half (score,), between the halves of the truth; ratio (run, score) of the departures from a
        perfect score, run over split half: about 1 is what chance would do, 2 is a doubtful difference; texts word, why, words,
        unit, figure (score,). Of correlations the roots of the departures, which unlike these grow with the difference itself
        and not with its square.

    Raises:
        DataError: no run, or a truth of a single day.
    """
    if not runs:
        raise DataError(
            "A yardstick needs at least one run, there is none. Likely cause: no run lasted as long as is scored. "
            "Remedy: look at where they stopped, or score a shorter stretch."
        )
    every = scores(recipe)
    first, second = halves(truth)
    split = np.array([_try(score.compute, second, first) for score in every])
    value = np.array([[_try(score.compute, run, truth) for score in every] for run in runs.values()])
    perfect = np.array([score.perfect for score in every])
    with np.errstate(invalid="ignore", divide="ignore"):
        power = np.where([score.correlation for score in every], 0.5, 1.0)
        ratio = (np.abs(value - perfect) / np.abs(split - perfect)) ** power
    verdicts = [_judge(score, truth) for score in every]
    texts = {
        "word": [verdict.word for verdict in verdicts],
        "why": [verdict.why for verdict in verdicts],
        "words": [score.words for score in every],
        "unit": [score.unit for score in every],
        "figure": [score.figure for score in every],
    }
    return xr.Dataset(
        {"value": (("run", "score"), value), "split_half": ("score", split), "ratio": (("run", "score"), ratio)},
        {"run": list(runs), "score": [score.name for score in every]} | {key: ("score", text) for key, text in texts.items()},
    )


def _try(compute: Pair, run: xr.Dataset, reference: xr.Dataset) -> float:
    """A score, NaN where one of the two does not hold what it needs or is too short for it."""
    try:
        return compute(run, reference)
    except (KeyError, AttributeError, ParametraError):
        return float("nan")


def _judge(score: Score, truth: xr.Dataset) -> Verdict:
    try:
        return score.judge(truth)
    except (KeyError, AttributeError, ParametraError):
        return Verdict("too short", "the truth does not hold what this needs")
