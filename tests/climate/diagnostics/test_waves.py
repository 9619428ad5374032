"""Spectra: direction, parity, power, windows and tapers of known waves; dispersion curves solve their equations."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from parametra.climate.diagnostics import (
    BANDS,
    WaveBand,
    WaveRecipe,
    band_powers,
    dispersion,
    spectrum_correlation,
    wave_spectrum,
    window_count,
)
from parametra.climate.diagnostics.equatorial import ROTATION
from parametra.core.constants import EARTH_RADIUS, GRAVITY
from parametra.core.errors import DataError, UsageError

BOX = WaveRecipe(
    window_days=48, advance_days=48, taper=np.ones, equator="exclude", high_pass_from=None, smooth_frequency=False
)  # fmt: skip


def wave(k: int, f: float, days: int = 96, rows=(-7.5, -2.5, 2.5, 7.5), odd: bool = False, per_day: int = 1) -> xr.DataArray:
    t, x = np.arange(days * per_day) / per_day, 2 * np.pi * np.arange(24) / 24
    shape = np.sign(rows) if odd else np.ones(len(rows))
    values = np.cos(k * x[None, None, :] - 2 * np.pi * f * t[:, None, None]) * shape[None, :, None]
    coords = {"time": t, "latitude": np.array(rows), "longitude": np.degrees(x)}
    return xr.DataArray(values, coords, ("time", "latitude", "longitude"))


@pytest.mark.parametrize(("k", "f"), [(3, 0.125), (-5, 0.25)])
@pytest.mark.parametrize("odd", [False, True])
def test_a_wave_lies_at_its_wavenumber_frequency_and_parity_with_a_quarter_of_its_square(k, f, odd):
    """cos has |1/2|^2 at its own (k, f); the other quarter lies at (-k, -f), which is not shown."""
    spectrum = wave_spectrum(wave(k, f, odd=odd), BOX)
    mine, other = ("antisymmetric", "symmetric") if odd else ("symmetric", "antisymmetric")
    power = spectrum[mine]
    assert_allclose(float(power.sel(wavenumber=k).sel(frequency=f, method="nearest")), 0.25, rtol=3e-2)  # its trend is removed
    top = power.where(power == power.max(), drop=True)
    assert (int(top.wavenumber[0]), float(top.frequency[0])) == (k, pytest.approx(f))
    assert float(spectrum[other].max()) < 1e-20


def test_power_is_kept_by_an_even_cut_of_noise():
    """Parseval: over all f and k of a window without taper, power sums to the variance; half of it has f > 0."""
    noise = xr.zeros_like(wave(1, 0.1)) + np.random.default_rng(0).normal(size=(96, 4, 24))
    spectrum = wave_spectrum(noise, BOX)
    total = float((spectrum.symmetric + spectrum.antisymmetric).sum())
    # of 24 wavenumbers one is left out, and so are the mean and most of the trend of 48 samples
    assert_allclose(total, 0.5 * float((noise**2).mean()) * 23 / 24, rtol=0.05)


def test_samples_per_day_do_not_move_a_wave():
    for per_day in (1, 4):
        power = wave_spectrum(wave(4, 0.25, per_day=per_day), BOX).symmetric
        assert_allclose(float(power.sel(wavenumber=4, frequency=0.25)), 0.25, rtol=3e-2)


def test_the_equator_row_joins_the_symmetric_part_at_half_a_pairs_weight():
    rows = (-5.0, 0.0, 5.0)
    field = wave(3, 0.125, rows=rows) * xr.DataArray([0.0, 2.0, 0.0], dims="latitude")
    without = wave_spectrum(field, BOX)
    recipe = WaveRecipe(48, 48, taper=np.ones, equator="symmetric", high_pass_from=None, smooth_frequency=False)
    joined = wave_spectrum(field, recipe)
    assert float(without.symmetric.max()) < 1e-20
    assert_allclose(float(joined.symmetric.sel(wavenumber=3, frequency=0.125)), 4 * 0.25 / 3, rtol=2e-2)
    assert_allclose(joined.background, without.background, atol=1e-20)


def test_a_high_pass_takes_what_is_slower_than_a_window():
    days = 365
    standing = wave(2, 0.0, days=days)
    slow = standing * np.cos(2 * np.pi * (standing.time - (days - 1) / 2) / days)  # even about the middle: no trend
    quiet = wave_spectrum(slow, WaveRecipe())
    loud = wave_spectrum(slow, WaveRecipe(high_pass_from=None))
    assert float(quiet.symmetric.max()) < 1e-3 * float(loud.symmetric.max())


def test_tapers_and_windows():
    hann, cosine = WaveRecipe(taper="hann").window(96), WaveRecipe().window(96)
    assert_allclose(hann, np.hanning(96))
    assert (cosine == 1).sum() >= 86
    assert_allclose(cosine, cosine[::-1])
    assert [window_count(days) for days in (95.9, 96, 375, 1825)] == [0, 1, 10, 56]


@given(st.sampled_from(["window_days", "advance_days", "latitude_bound", "taper_share"]), st.floats(-50, 0))
def test_a_recipe_that_cannot_be_is_refused(name, value):
    with pytest.raises(UsageError, match="positive"):
        WaveRecipe(**{name: value})


def test_fields_that_have_no_spectrum_are_refused():
    with pytest.raises(DataError, match="no window"):
        wave_spectrum(wave(1, 0.1, days=40))
    with pytest.raises(DataError, match="pair of rows"):
        wave_spectrum(wave(1, 0.1, rows=(1.0, 5.0, 9.0)))
    with pytest.raises(DataError, match="gaps"):
        wave_spectrum(wave(1, 0.1).where(lambda x: x.time != 3))


def test_longitudes_in_another_order_give_the_same_spectrum():
    field = wave(3, 0.125) + wave(-5, 0.25)
    spectrum = wave_spectrum(field, BOX)
    for other in (field[:, :, ::-1], field.roll(longitude=7, roll_coords=True)):
        xr.testing.assert_allclose(wave_spectrum(other, BOX), spectrum, atol=1e-20)


def test_uneven_times_and_longitudes_are_refused():
    field = wave(3, 0.125)
    twice = xr.concat([field, field[:, :, :1].assign_coords(longitude=[360.0])], "longitude")
    for odd in (twice, field[:, :, :12], field.isel(longitude=np.delete(np.arange(24), 7))):
        with pytest.raises(DataError, match=r"evenly spaced longitudes.*Remedy"):
            wave_spectrum(odd, BOX)
    for times in (np.delete(np.arange(96), 50), np.arange(96)[::-1]):
        with pytest.raises(DataError, match=r"evenly spaced times.*Remedy"):
            wave_spectrum(field.isel(time=times), BOX)


def test_correlation_of_a_spectrum_with_itself_is_one_and_with_another_draw_less():
    random = np.random.default_rng(1)
    noise = [wave(3, 0.125) + random.normal(size=(96, 4, 24)) for _ in range(2)]
    first, second = (wave_spectrum(field, BOX) for field in noise)
    assert spectrum_correlation(first, first) == pytest.approx(1.0)
    assert spectrum_correlation(first, second) < 0.9


@pytest.mark.parametrize("depth", [12.0, 50.0])
def test_curves_solve_matsunos_equations(depth):
    s = np.arange(-14, 15)
    k, c, beta = s / EARTH_RADIUS, np.sqrt(GRAVITY * depth), 2 * ROTATION / EARTH_RADIUS

    def omega(family):
        return dispersion(family, s, depth) * 2 * np.pi / 86400.0

    assert_allclose(omega("kelvin")[s > 0], c * k[s > 0])
    for family, n in (("rossby", 1), ("gravity_1", 1), ("gravity_2", 2), ("mixed_rossby_gravity", 0)):
        w = omega(family)
        rest = w**2 / c**2 - k**2 - beta * k / w - (2 * n + 1) * beta / c
        there = np.isfinite(w)
        assert there.sum() >= 14
        assert_allclose(rest[there] / ((2 * n + 1) * beta / c), 0.0, atol=1e-8)
    assert np.nanmax(omega("rossby")) < np.nanmin(omega("gravity_1"))


def test_the_band_of_a_wave_stands_out_and_a_box_beyond_the_grid_is_empty():
    noise = np.random.default_rng(2).normal(size=(384, 4, 24))
    field = 0.5 * wave(5, 0.15625, days=384) + noise
    table = band_powers(wave_spectrum(field), BANDS | {"none": WaveBand("symmetric", (40, 50), (2.0, 3.0))})
    assert float(table.ratio.sel(band="Kelvin")) > 1.3 * float(table.ratio.sel(band="equatorial Rossby"))
    assert int(table.points.sel(band="none")) == 0
    assert np.isnan(table.ratio.sel(band="none"))


def test_bands_hold_the_waves_they_are_named_after():
    k, f = np.arange(-20, 21), np.arange(1, 49) / 96
    for name, (wavenumber, period) in {
        "Madden-Julian": (2, 48.0), "Kelvin": (5, 6.4), "equatorial Rossby": (-4, 32.0), "mixed Rossby-gravity": (-3, 4.36),
    }.items():  # fmt: skip
        inside = BANDS[name].inside(f, k)
        assert inside[np.argmin(np.abs(f - 1 / period)), k.tolist().index(wavenumber)], name
