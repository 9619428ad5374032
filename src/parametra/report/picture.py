"""A run of the climate study in one picture, for a README or a slide.

    python -m parametra.report.picture RUN PICTURE

Heating of truth and network, rain by latitude, skill by level beside the ceiling, and the drift of the year, from the run folder.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from parametra.core.constants import SECONDS_PER_DAY
from parametra.core.errors import DataError
from parametra.core.files import atomic_path
from parametra.report.figures.axes import by_area
from parametra.report.figures.palette import BLUE, GREY, ORANGE, PURPLE
from parametra.report.reader import RunReader

TICKS = (-60, -30, 0, 30, 60)


def draw(run: Path, out: Path) -> None:
    """Write the picture; DataError if the run has not come as far as its climate stage."""
    reader = RunReader(run)
    zonal, skill, drift = (reader.fields(name) for name in ("zonal", "skill", "drift"))
    if zonal is None or skill is None or drift is None:
        raise DataError(f"{run} has no climate to draw yet. Remedy: let the run finish.")
    figure, axes = plt.subplots(2, 3, figsize=(14, 7.2), layout="constrained")
    chosen = next((event["network"] for event in reversed(reader.events) if event["event"] == "selected"), "network")
    _heating(axes[0, 0], axes[0, 1], figure, zonal)
    _rain(axes[0, 2], zonal)
    _skill(axes[1, 0], axes[1, 1], skill, chosen, reader.single_steps)
    _drift(axes[1, 2], drift, chosen)
    with atomic_path(out) as temporary:
        figure.savefig(temporary, format=out.suffix.removeprefix(".") or "png", dpi=80)
    plt.close(figure)


def _heating(left: Axes, right: Axes, figure: Figure, zonal: xr.Dataset) -> None:
    field = zonal.tendency_of_air_temperature * SECONDS_PER_DAY
    size = float(np.ceil(np.nanpercentile(np.abs(field.sel(run="truth")), 99.5)))
    for axes, name, title in (
        (left, "truth", "heating: cloud-resolving model"),
        (right, "network", "heating: network, second half of its run"),
    ):
        mesh = axes.contourf(
            by_area(zonal.latitude.values), zonal.level.values, field.sel(run=name).values.T, np.linspace(-size, size, 17),
            cmap="RdBu_r", extend="both",
        )  # fmt: skip
        axes.set(title=title, ylim=(1, 0), ylabel="sigma")
        _latitudes(axes)
    figure.colorbar(mesh, ax=right, label="K/day")


def _rain(axes: Axes, zonal: xr.Dataset) -> None:
    rain, x = zonal.precipitation_flux * SECONDS_PER_DAY, by_area(zonal.latitude.values)
    halves = [rain.sel(run=name).values for name in ("truth_first_half", "truth_second_half")]
    axes.fill_between(x, np.minimum(*halves), np.maximum(*halves), color="k", alpha=0.15, label="halves of the truth")
    for name, label, style in (
        ("truth", "truth", {"color": "k", "lw": 2}), ("network", "network", {"color": BLUE, "lw": 2}),
        ("linear", "linear regression", {"color": ORANGE, "ls": "--"}), 
        ("time-mean", "time mean", {"color": PURPLE, "ls": "--"}),
    ):  # fmt: skip
        if name in zonal.run.values:
            axes.plot(x, rain.sel(run=name), label=label, **style)  # pyright: ignore[reportArgumentType]
    axes.set(title="precipitation", ylabel="mm/day", ylim=(0, 1.6 * float(rain.sel(run="truth").max())))
    axes.legend(frameon=False, fontsize=8)
    _latitudes(axes)


def _skill(left: Axes, right: Axes, skill: xr.Dataset, chosen: str, steps: str) -> None:
    words = {"tendency_of_air_temperature": "heating", "tendency_of_specific_humidity": "moistening"}
    for axes, (target, word) in zip((left, right), words.items(), strict=True):
        board = skill.sel(target=target)
        axes.fill_betweenx(skill.level, board.ceiling_low, board.ceiling_high, color=GREY, alpha=0.3, label="noise ceiling")
        axes.plot(board.r2_pooled.sel(model=chosen), skill.level, color=BLUE, lw=2, label="network")
        axes.plot(board.r2_pooled.sel(model="linear"), skill.level, color=ORANGE, ls="--", label="linear regression")
        axes.set(title=f"R2 of {word}, {steps}", ylim=(1, 0.15), xlim=(0, 1), ylabel="sigma")
        axes.legend(frameon=False, fontsize=8)


def _drift(axes: Axes, drift: xr.Dataset, chosen: str) -> None:
    truth = float(drift.mean_temperature.sel(run="truth").mean())
    axes.axhspan(-1.5, 1.5, color="k", alpha=0.08, label="within 1.5 K")
    for name in drift.run.values:
        style = {"color": BLUE, "lw": 2} if name == chosen else {"color": GREY, "lw": 0.8}
        style = {"linear": {"color": ORANGE, "ls": "--"}, "time-mean": {"color": PURPLE, "ls": "--"}}.get(str(name), style)
        if name != "truth":
            axes.plot(drift.day, drift.mean_temperature.sel(run=name) - truth, **style)  # pyright: ignore[reportArgumentType]
    axes.plot([], [], color=BLUE, lw=2, label="chosen network")
    axes.plot([], [], color=GREY, lw=0.8, label="other seeds")
    axes.set(title="mean temperature, run minus truth", xlabel="day", ylabel="K", ylim=(-8, 8))
    axes.legend(frameon=False, fontsize=8)


def _latitudes(axes: Axes) -> None:
    axes.set_xticks(by_area(np.array(TICKS, float)), [f"{abs(t)}{'S' if t < 0 else 'N' if t > 0 else ''}" for t in TICKS])


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="A run of the climate study in one picture.")
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args(arguments)
    draw(chosen.run, chosen.out)


if __name__ == "__main__":
    main()
