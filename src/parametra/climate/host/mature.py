"""A start state that is already a climate: the fields of one moment of a long multi-scale run, on any grid.

A world that starts from rest, or from a relaxation run, takes months to find its tropical winds and eddies, and a network that
is trained before that learns a climate which then goes away. The file beside this module holds one moment of the default world
(32 x 16 columns, 20 layers), far from any start: day 50 of the truth of a `climate/laptop` run, which itself had begun with 130
days of the same world with a network in the CRM's place. Another moment is stored from a run folder:

    python -m parametra.climate.host.mature runs/climate-laptop --day 50

Other grids take it by linear interpolation; over another sea, temperature changes as the sea below it does, at constant relative
humidity.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from parametra.climate.grid import ColumnGrid
from parametra.climate.host.core import ModalState
from parametra.climate.host.fixers.mass import restore_mass
from parametra.climate.host.state import HostState
from parametra.climate.surface import aquaplanet_temperature
from parametra.climate.thermodynamics import saturation_specific_humidity, saturation_vapour_pressure_liquid
from parametra.core.errors import DataError
from parametra.core.files import atomic_path
from parametra.store.fields import open_fields

if TYPE_CHECKING:
    from parametra.climate.host.atmosphere import Atmosphere

FILE = "mature.npz"
FIELDS = ("air_temperature", "specific_humidity", "eastward_wind", "northward_wind", "surface_air_pressure")
REFERENCE_PRESSURE = 1.0e5  # Pa


def mature_state(host: Atmosphere, key: PRNGKeyArray) -> HostState:
    """The stored moment on the host's grid and over its sea, `config.spin_up.noise` kelvin of noise added; clock at zero."""
    fields = on_grid(host)
    dtype = jnp.result_type(float)
    temperature, humidity, u, v = (jnp.asarray(fields[name], dtype) for name in FIELDS[:4])
    noise = host.config.spin_up.noise * jax.random.normal(key, temperature.shape, dtype)
    vorticity, divergence = host.core.curl_and_divergence(u, v)
    deviation = host.core.to_modal(temperature + noise - host.config.reference_temperature)
    relative = jnp.asarray(fields["surface_air_pressure"] / REFERENCE_PRESSURE, dtype)
    pressure = host.core.to_modal(jnp.log(relative)[:, None])
    clip = host.core.horizontal.clip_wavenumbers
    modal = ModalState(clip(vorticity), clip(divergence), deviation, pressure)
    _, change = restore_mass(host.core.surface_pressure(modal), host.sums)  # what was stored is rounded, and of another grid
    modal = dataclasses.replace(modal, log_pressure=host.core.add_mean(pressure, jnp.log1p(change)))
    return host.start(modal, humidity)


def on_grid(host: Atmosphere) -> dict[str, np.ndarray]:
    """The stored fields (column, level) or (column,), SI and float64, on the grid and over the sea of `host`."""
    with jax.ensure_compile_time_eval():  # numbers, also while a start is being traced
        return _on_grid(host)


def _on_grid(host: Atmosphere) -> dict[str, np.ndarray]:
    stored, grid = load(), host.grid
    fields = {name: _interpolate(stored, name, grid) for name in FIELDS}
    temperature, humidity = fields["air_temperature"], fields["specific_humidity"]
    warmer = host.surface_temperature - aquaplanet_temperature(grid.column_latitude, grid.column_longitude)
    pressure = jnp.asarray(grid.sigma * fields["surface_air_pressure"][:, None])

    def saturated(kelvin: np.ndarray) -> np.ndarray:
        return np.asarray(saturation_specific_humidity(saturation_vapour_pressure_liquid(jnp.asarray(kelvin)), pressure))

    fields["air_temperature"] = temperature + warmer[:, None]
    fields["specific_humidity"] = humidity * saturated(fields["air_temperature"]) / saturated(temperature)
    return fields


def load() -> dict[str, np.ndarray]:
    """The stored moment: latitude, longitude, sigma and `FIELDS` by their CF names, (latitude, longitude[, level])."""
    with as_file(files("parametra.climate.host") / FILE) as path, np.load(path) as stored:
        return {name: stored[name].astype(np.float64) for name in stored.files}


def save(run: Path, out: Path, day: float | None = None) -> None:
    """Store one moment of the truth in the folder of a climate run: the first step of `day`, or the last step of all.

    Values are rounded to 13 bits, which is finer than one step of the model changes them and packs to half the size.

    Raises:
        DataError: no truth in the folder, no such day in it, or values that are not finite.
    """
    truth = open_fields(run / "fields" / "truth.zarr")
    step = truth.sizes["time"] - 1 if day is None else int(np.searchsorted(truth.time.values, day))
    if not 0 <= step < truth.sizes["time"]:
        raise DataError(f"{run} has no day {day}, its truth ends on day {float(truth.time[-1]):.2f}. Remedy: an earlier day.")
    last = truth.isel(time=step).load()
    order = ("latitude", "longitude", "level")
    arrays = {name: last[name].transpose(*order[: last[name].ndim]).values.astype(np.float32) for name in FIELDS}
    if not all(np.all(np.isfinite(array)) for array in arrays.values()):
        raise DataError(f"Step {step} of {run} is not finite. Remedy: a run that ended well.")
    stored: dict[str, Any] = {name: _rounded(array) for name, array in arrays.items()}
    stored |= {"latitude": last.latitude.values, "longitude": last.longitude.values, "sigma": last.level.values}
    with atomic_path(out) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **stored)


def _rounded(array: np.ndarray) -> np.ndarray:
    bits = array.view(np.int32)
    return ((bits + 0x200) & ~0x3FF).astype(np.int32).view(np.float32)


def _interpolate(stored: dict[str, np.ndarray], name: str, grid: ColumnGrid) -> np.ndarray:
    """Linear in latitude, longitude (periodic) and sigma; held at the outermost rows and layers."""
    field = stored[name]
    latitude = _weights(stored["latitude"], grid.latitudes)
    step = stored["longitude"][1] - stored["longitude"][0]
    round_ = np.append(stored["longitude"], stored["longitude"][-1] + step)
    longitude = _weights(round_, grid.longitudes % 360.0)
    longitude = longitude[:, :-1] + np.pad(longitude[:, -1:], ((0, 0), (0, longitude.shape[1] - 2)))
    field = np.einsum("al,bm,lm...->ab...", latitude, longitude, field).reshape(grid.columns, *field.shape[2:])
    return field if field.ndim == 1 else field @ _weights(stored["sigma"], grid.sigma).T


def _weights(nodes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Matrix (point, node) of linear interpolation between rising nodes."""
    return np.stack([np.interp(points, nodes, unit) for unit in np.eye(nodes.size)], axis=1)


def main() -> None:
    """Write the package's file anew from a run folder."""
    parser = argparse.ArgumentParser(description="Store a moment of a climate run's truth as the start of others.")
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name(FILE))
    parser.add_argument("--day", type=float, default=None, help="of the truth; its last moment if not given")
    options = parser.parse_args(sys.argv[1:])
    save(options.run, options.out, options.day)


if __name__ == "__main__":
    main()
