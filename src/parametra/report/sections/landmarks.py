"""Landmarks: how far from its true place each bifurcation of the learned family lies, with noise and without."""

import numpy as np
import xarray as xr

from parametra.report.figures.bifurcation import dots
from parametra.report.formatting import number
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Part, Section, Table, missing

TITLE = "Landmarks"
LEAD = (
    "Onset of chaos, opening of the window of period 3, merging of bands, crisis: controls at which the learned map itself "
    "changes, found by root finding to many digits. A landmark that was not found is drawn at the top and counts as infinitely "
    "wrong. Series are sampled in three ways: starts all over the interval (cov), one start for each r (one), states on the "
    "attractor alone (attr)."
)
SAMPLING = {"cov": "starts all over (cov)", "one": "one start (one)", "attr": "attractor alone (attr)"}
WORDS = {"accumulation": "onset of chaos", "period3": "period 3", "band_merging": "band merging", "crisis": "crisis"}


def section(run: RunReader) -> Section | None:
    """Errors by regime and noise, the design chosen, and PySINDy beside."""
    fields = run.fields("landmarks")
    if fields is None:
        return missing("landmarks", TITLE, LEAD, run.why_missing("landmarks"))
    names = [WORDS[str(name)] for name in fields.landmark.values]
    figures = []
    for noise in fields.noise.values:
        groups = {
            SAMPLING.get(str(regime), str(regime)): list(fields.error.sel(regime=regime, noise=noise).values.T)
            for regime in fields.regime.values
        }
        title = "No noise" if noise == 0 else f"Noise of {noise:g}"
        figures.append(
            Figure(
                dots(groups, names, title, "error in r"),
                "Every seed a dot, medians as bars. Design chosen by edge validation among sparse polynomials.",
            )
        )
    networks = run.fields("networks")
    if networks is not None:
        groups = {"trained networks alone": list(networks.error.values.T)}
        figures.append(
            Figure(
                dots(groups, names, "Networks alone, no noise", "error in r"),
                "Starts all over the interval; design by edge validation.",
            )
        )
    rows = []
    for regime in fields.regime.values:
        for noise in fields.noise.values:
            here = fields.sel(regime=regime, noise=noise)
            mine, other = (_median(here[name].values[:, 0]) for name in ("error", "error_pysindy"))
            bound = _median(here.deviation_bound.values[:, 0]) if noise else "–"
            designs, counts = np.unique(here.design.values.astype(str), return_counts=True)
            chosen = f"{designs[np.argmax(counts)]} ({counts.max()} of {counts.sum()})"
            rows.append((f"{regime}, noise {noise:g}", mine, other, bound, chosen))
    head = ("series", "error of the onset", "PySINDy", "Cramér-Rao bound", "design chosen most often")
    table = Table(
        head, tuple(rows), "Onset of chaos: medians over seeds. PySINDy's threshold is chosen by the same edge validation."
    )
    parts: list[Part] = [Panels(tuple(figures), columns=2), table]
    if np.isnan(fields.error_pysindy.values).all():
        parts.append(
            Note("PySINDy is not installed, so its column is empty: uv sync --group baselines, and run again.", "missing")
        )
    else:
        parts.append(_verdict(fields))
    return Section("landmarks", TITLE, LEAD, tuple(parts))


def _median(values: np.ndarray) -> str:
    return number(float(np.median(np.where(np.isfinite(values), values, np.inf)))) if len(values) else "–"


def _verdict(fields: xr.Dataset) -> Note:
    """Where the baseline wins, said in a sentence."""
    wins = []
    for regime in fields.regime.values:
        for noise in fields.noise.values:
            here = fields.sel(regime=regime, noise=noise)
            mine, other = (float(np.median(np.nan_to_num(here[n].values[:, 0], nan=np.inf))) for n in ("error", "error_pysindy"))
            if other < mine and mine > 1e-9:
                wins.append(f"{regime} at noise {noise:g}")
    text = f"PySINDy places the onset better in: {', '.join(wins)}." if wins else "PySINDy places the onset better nowhere here."
    return Note(f"{text} Without noise both recover the map exactly, up to what the search for the onset resolves (about 1e-12).")
