"""Maps of precipitation under a slider, as bytes: truth beside network, frame by frame."""

import base64

import matplotlib as mpl
import numpy as np

from parametra.report.figures.palette import label
from parametra.report.reader import RunReader
from parametra.report.section import Frames, Slider

MOST_FRAMES = 30
MOST_BYTES = 200_000  # of all frames before base64, so that the page stays below 1 MB
DAY = 86400.0


def slider(run: RunReader) -> Slider | None:
    """The slider of fields/maps.zarr, truth and up to two other runs; None where there are no maps."""
    data = run.fields("maps")
    if data is None or "precipitation_flux" not in data:
        return None
    names = sorted((str(name) for name in data.run.values), key=lambda name: name != "truth")[:3]
    rain = data.precipitation_flux.sel(run=names).transpose("run", "time", "latitude", "longitude")
    rain = rain.sortby("latitude", ascending=False)
    count = min(MOST_FRAMES, rain.sizes["time"], max(1, MOST_BYTES // max(1, rain.isel(time=0).size)))
    rain = rain.isel(time=np.unique(np.linspace(0, rain.sizes["time"] - 1, count).round().astype(int)))
    values = rain.values * DAY
    finite = values[np.isfinite(values)]
    top = _round_up(float(np.percentile(finite, 99.5))) if finite.size else 1.0
    # a square root spends the bytes on drizzle, which covers most of the planet
    bytes_ = np.round(255 * np.sqrt(np.clip(np.nan_to_num(values), 0, top) / top)).astype(np.uint8)
    days = rain.time.values.astype(np.float64) if np.issubdtype(rain.time.dtype, np.number) else np.arange(rain.sizes["time"])
    labels = tuple(f"day {day:.1f}" for day in days)
    colours = (mpl.colormaps["YlGnBu"](np.linspace(0, 1, 256))[:, :3] * 255).round().astype(np.uint8)
    return Slider(
        runs=tuple(Frames(label(name), labels, _text(frames)) for name, frames in zip(names, bytes_, strict=True)),
        rows=rain.sizes["latitude"],
        columns=rain.sizes["longitude"],
        palette=_text(colours),
        low="0",
        high=f"{top:g} mm/day and more",
        caption=(
            "Precipitation, north up, one box per column, 8 bits on a square-root scale. Frames are moments of chaotic runs: "
            "weather differs from run to run, its statistics should not."
        ),
    )


def _text(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _round_up(value: float) -> float:
    step = 10.0 if value > 20 else 1.0
    return max(step, step * float(np.ceil(value / step)))
