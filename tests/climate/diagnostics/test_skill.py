"""Laws of the two R2 conventions."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from parametra.climate.diagnostics.scoreboard import scoreboard
from parametra.climate.diagnostics.skill import fraction_of_ceiling, level_mean, per_cell_r2, pooled_r2, window_mean
from parametra.core.errors import UsageError

BOTH = pytest.mark.parametrize("score", [pooled_r2, per_cell_r2])


def _field(seed: int = 0, time: int = 24, rows: int = 4, columns: int = 3, levels: int = 5) -> xr.DataArray:
    values = np.random.default_rng(seed).normal(size=(time, rows, columns, levels))
    latitude = np.degrees(np.arcsin(np.polynomial.legendre.leggauss(rows)[0]))
    level = (np.arange(levels) + 0.5) / levels
    coords = {"time": np.arange(time) / 48.0, "latitude": latitude, "longitude": np.arange(columns) * 10.0, "level": level}
    return xr.DataArray(values, dims=("time", "latitude", "longitude", "level"), coords=coords)


@BOTH
def test_perfect_prediction_scores_one(score):
    truth = _field()
    assert_allclose(score(truth, truth).r2, 1.0)


def test_mean_of_the_sample_scores_zero():
    truth = _field()
    assert_allclose(pooled_r2(truth, xr.zeros_like(truth) + truth.mean(["time", "latitude", "longitude"])).r2, 0.0, atol=1e-12)
    assert_allclose(per_cell_r2(truth, xr.zeros_like(truth) + truth.mean("time")).r2, 0.0, atol=1e-12)


@BOTH
@given(scale=st.floats(1e-9, 1e9), shift=st.floats(-3, 3))
def test_units_do_not_matter(score, scale, shift):
    truth, prediction = _field(0), _field(0) + 0.5 * _field(1)
    scaled = score(scale * (truth + shift), scale * (prediction + shift))
    assert_allclose(scaled.r2, score(truth, prediction).r2, rtol=1e-9)  # round-off of a shift of 3 standard deviations


def test_the_two_conventions_by_hand():
    # two cells, two times: y = (0, 2), (10, 14); p = (0, 2), (12, 12)
    dims = ("time", "longitude")
    truth = xr.DataArray([[0.0, 10.0], [2.0, 14.0]], dims=dims)
    prediction = xr.DataArray([[0.0, 12.0], [2.0, 12.0]], dims=dims)
    # pooled: mean 6.5, squares 42.25 + 20.25 + 12.25 + 56.25 = 131; error 4 + 4
    assert_allclose(pooled_r2(truth, prediction).r2, 1 - 8 / 131)
    # per cell: first 1, second 1 - 8/8 = 0
    assert_allclose(per_cell_r2(truth, prediction, area_weighted=False).r2, 0.5)


def test_levels_without_variance_are_masked_and_counted():
    truth = _field()
    truth = truth.where(truth.level > 0.4, 1e-9 * truth)
    score = pooled_r2(truth, truth + 1.0)
    assert score.masked.values.tolist() == [1, 1, 0, 0, 0]
    assert score.total_masked == 2
    assert np.isnan(score.r2[:2]).all()
    assert np.isfinite(score.r2[2:]).all()


def test_cells_without_variance_are_masked_and_counted():
    truth = _field()
    truth = truth.where(truth.longitude > 5.0, 0.0)
    score = per_cell_r2(truth, truth)
    assert_allclose(score.masked, 4)  # four rows of the first longitude, at every level
    assert_allclose(score.r2, 1.0)


@BOTH
def test_missing_truth_is_left_out_and_a_broken_prediction_is_nan(score):
    truth = _field()
    prediction = truth + 0.3 * _field(1)
    holes = truth.copy()
    holes[3:5] = np.nan
    assert_allclose(score(holes, prediction).r2, score(truth.drop_isel(time=[3, 4]), prediction.drop_isel(time=[3, 4])).r2)
    broken = prediction.copy()
    broken[7, 1, 1, 2] = np.inf
    r2 = score(truth, broken).r2
    assert not np.isfinite(r2[2])
    assert np.isfinite(np.delete(r2.values, 2)).all()


def test_area_weights_change_the_score_only_where_rows_differ():
    truth, noise = _field(0), _field(1)
    equal = truth + 0.5 * noise
    assert_allclose(pooled_r2(truth, equal, area_weighted=True).r2, pooled_r2(truth, equal).r2, atol=0.05)
    polar = truth + noise * (abs(truth.latitude) > 50)
    assert (pooled_r2(truth, polar, area_weighted=True).r2 > pooled_r2(truth, polar).r2).all()


def test_windows_average_noise_away():
    truth = xr.zeros_like(_field()) + _field().isel(time=0)  # constant in time
    prediction = truth + _field(1)
    scores = [float(pooled_r2(window_mean(truth, h), window_mean(prediction, h)).r2.mean()) for h in (0.5, 2.0, 6.0)]
    assert scores == sorted(scores)
    # squared error of a mean of n independent errors falls as 1/n; 4 and 12 samples
    assert_allclose((1 - scores[0]) / (1 - scores[1]), 4.0, rtol=0.25)
    with pytest.raises(UsageError, match="24 h does not fit.*Remedy"):
        window_mean(truth, 24.0)


def test_level_mean_takes_mass_from_180_hpa_down_and_skips_masked_levels():
    by_level = xr.DataArray([9.0, 1.0, 2.0, np.nan, 4.0], dims="level", coords={"level": (np.arange(5) + 0.5) / 5})
    # layers of 200 hPa: 20 hPa of the first, all of the others
    assert_allclose(level_mean(by_level), (9 * 0.02 + (1 + 2 + 4) * 0.2) / 0.62)
    assert level_mean(xr.DataArray(0.7)) == 0.7


def test_fraction_runs_from_linear_to_ceiling():
    assert fraction_of_ceiling(0.2, 0.2, 0.6) == 0.0
    assert fraction_of_ceiling(0.6, 0.2, 0.6) == 1.0
    assert np.isnan(fraction_of_ceiling(0.5, 0.3, 0.3))


def test_scoreboard_has_the_layout_of_the_page():
    rng = np.random.default_rng(0)
    heating = _field(0)
    columns = heating.isel(level=0, drop=True)
    truth = xr.Dataset({"tendency_of_air_temperature": heating, "tendency_of_specific_humidity": _field(1)})
    truth["rainfall_flux"] = columns * 0 + rng.random(columns.shape)
    truth["toa_outgoing_longwave_flux"] = columns
    board = scoreboard(truth, {"exact": truth, "half": truth * 0.5})
    assert board.r2_pooled.dims == ("model", "target", "level")
    assert_allclose(board.r2_pooled.sel(model="exact"), 1.0)
    assert_allclose(board.r2_scalar.sel(model="exact"), 1.0)
    assert board.r2_window.sizes == {"model": 2, "window": 4, "target": 2}
    assert np.isnan(board.r2_window.sel(window=24.0)).all()  # half a day of record has no daily mean
    assert list(board.scalar.values) == ["precipitation_flux", "toa_outgoing_longwave_flux"]
