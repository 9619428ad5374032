"""Wavenumber-frequency spectra with the dispersion curves of the equatorial waves."""

from collections.abc import Mapping, Sequence

import numpy as np

from parametra.report.figures.svg import panel

NAMES = {
    "kelvin": "Kelvin",
    "rossby": "Rossby",
    "mixed_rossby_gravity": "mixed Rossby-gravity",
    "gravity_1": "gravity n=1",
    "gravity_2": "gravity n=2",
}
PERIODS = (30.0, 10.0, 6.0, 4.0, 3.0, 2.5)
LIMIT = 0.6  # of log10(power / background): a factor of four up or down


def wave_spectrum(
    wavenumber: np.ndarray, frequency: np.ndarray, values: np.ndarray, curves: Mapping[str, Sequence[np.ndarray]], title: str,
    highest: float = 0.5,
) -> str:  # fmt: skip
    """SVG of log10(power / background) (frequency, wavenumber); `curves` family -> frequencies (wavenumber,) per depth."""
    with panel(width=4.6, height=4.0, left=0.16, right=0.83) as drawn:
        axes = drawn.axes
        axes.grid(False)
        levels = np.linspace(-LIMIT, LIMIT, 17)
        filled = axes.contourf(wavenumber, frequency, np.ma.masked_invalid(values), levels=levels, cmap="RdBu_r", extend="both")
        filled.set_rasterized(True)
        edge = min(15.0, float(np.abs(wavenumber).max()))
        for family, lines in curves.items():
            for number, line in enumerate(lines):
                axes.plot(wavenumber, line, color="#1b1b1f", linewidth=1.0)
                inside = np.isfinite(line) & (line < highest * 0.92) & (np.abs(wavenumber) <= edge)
                if number == len(lines) // 2 and inside.any():
                    place = np.flatnonzero(inside)[-1 if family in ("kelvin", "gravity_1", "gravity_2") else inside.sum() // 3]
                    axes.annotate(
                        NAMES.get(family, family), (wavenumber[place], line[place]), xytext=(0, 3), textcoords="offset points",
                        fontsize=7.5, ha="right" if wavenumber[place] > 0 else "center", color="#1b1b1f",
                        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.6},
                    )  # fmt: skip
        axes.axvline(0.0, color="#9a9da5", linewidth=0.8, linestyle=":")
        axes.set_xlim(-edge, edge)
        axes.set_ylim(0.0, highest)
        axes.set_yticks([1.0 / period for period in PERIODS], [f"{period:g} d" for period in PERIODS])
        axes.set_xlabel("zonal wavenumber (west < 0 < east)")
        axes.set_ylabel("period")
        axes.set_title(title)
        bar_axes = drawn.figure.add_axes((0.86, 0.15, 0.025, 0.73))
        bar = drawn.figure.colorbar(filled, cax=bar_axes, ticks=np.log10([0.25, 0.5, 1.0, 2.0, 4.0]))
        bar.ax.set_yticklabels(["¼", "½", "1", "2", "4"])
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        bar.ax.tick_params(length=0, labelsize=8)
        if bar.solids is not None:
            bar.solids.set_rasterized(True)
    return drawn.svg
