"""Wheeler-Kiladis spectra against third-party values, under that code's convention.

The values were made with PyWKSpectra 1.0 on a synthetic field of two Kelvin waves, a Rossby wave, a mixed Rossby-gravity wave
and red noise; `waves_A.json` holds the field's recipe. Its convention: Hann taper, equator row left out, mean and trend of each
window removed, frequencies up to one cycle per window taken out of records of a year or more, one 1-2-1 pass along frequency.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from parametra.climate.diagnostics import WaveRecipe, wave_spectrum

DATA = Path(__file__).parent / "data"
SETTINGS = json.loads((DATA / "waves_A.json").read_text())


def synthetic(settings: dict) -> xr.DataArray:
    """Waves amp m(t) Y(y) cos(k x - 2 pi f t + phi) and AR(1) noise, smooth in longitude: as `waves_A.json` asks."""
    random = np.random.default_rng(settings["seed"])
    latitude, longitudes = np.array(settings["lat"], float), settings["nlon"]
    t = np.arange(settings["ndays"] * settings["spd"]) / settings["spd"]
    x = 2 * np.pi * np.arange(longitudes) / longitudes
    field = np.full((t.size, latitude.size, longitudes), float(settings["mean"]))
    for wave, phase in zip(settings["waves"], random.uniform(0, 2 * np.pi, len(settings["waves"])), strict=True):
        y = latitude / wave["L"]
        shape = {"kelvin": 1.0 + 0 * y, "rossby1": 1 + 0.5 * y**2, "mrg": y}[wave["type"]] * np.exp(-(y**2) / 2)
        swell = wave["amp"] * (1 + 0.3 * np.cos(2 * np.pi * t / wave["P"]))
        angle = wave["k"] * x[None] - 2 * np.pi * wave["nu"] * t[:, None] + phase
        field += swell[:, None, None] * shape[None, :, None] * np.cos(angle)[:, None]
    noise, kernel = random.standard_normal(field.shape), np.array([1.0])
    for _ in range(settings["nsm"]):
        noise = 0.25 * np.roll(noise, 1, 2) + 0.5 * noise + 0.25 * np.roll(noise, -1, 2)
        kernel = np.convolve(kernel, [0.25, 0.5, 0.25])
    noise /= np.sqrt((kernel**2).sum())
    r = settings["r"]
    for i in range(1, t.size):
        noise[i] = r * noise[i - 1] + np.sqrt(1 - r * r) * noise[i]
    axes = {"time": t, "latitude": latitude, "longitude": np.degrees(x)}
    return xr.DataArray(field + settings["noise_amp"] * noise, axes, ("time", "latitude", "longitude"))


@pytest.fixture(scope="module")
def field() -> xr.DataArray:
    return synthetic(SETTINGS["params"])


@pytest.fixture(scope="module")
def values():
    with np.load(DATA / "waves_A.npz") as file:
        return {name: file[name] for name in file}


def test_the_field_is_the_one_that_was_used(field, values):
    assert_allclose(field.values[::97, ::3, ::7], values["field_sample"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["run1", "run3"])
def test_powers_and_background_agree_to_a_ten_billionth_of_the_peak(field, values, name):
    settings = SETTINGS["runs"][name]
    days = float(settings["nDayWin"])
    recipe = WaveRecipe(days, days + settings["nDaySkip"], settings["latBound"], taper="hann", equator="exclude")
    spectrum = wave_spectrum(field, recipe)
    assert spectrum.attrs["windows"] == settings["n_windows"]
    assert_allclose(spectrum.frequency, values[f"{name}/frequency"], rtol=1e-12)
    assert_allclose(spectrum.wavenumber, values[f"{name}/wavenumber"])
    for part in ("symmetric", "antisymmetric", "background"):
        expected = values[f"{name}/{part}_power"]
        assert_allclose(spectrum[part].values, expected, rtol=0, atol=1e-10 * expected.max())


def test_each_wave_is_found_in_its_own_band_and_part(field):
    """Kelvin k 5 at 6.25 d, k 2 at 14 d; Rossby k -4 at 25 d; mixed k -3 at 4.5 d."""
    spectrum = wave_spectrum(field)
    for part, k, f in (("symmetric", 5, 0.16), ("symmetric", -4, 0.04), ("antisymmetric", -3, 0.22)):
        other = {"symmetric": "antisymmetric", "antisymmetric": "symmetric"}[part]
        here = {name: float(spectrum[name].sel(wavenumber=k).sel(frequency=f, method="nearest")) for name in (part, other)}
        base = float(spectrum.background.sel(wavenumber=k).sel(frequency=f, method="nearest"))
        assert here[part] > 4 * base
        assert here[other] < 2 * base
