"""Third-party values of the logistic map: landmarks by mpmath with 50 digits, exponents by NumPy over 100,000 steps.

The files hold, per parameter, the exponents from eight start states (`lyapunov_per_x0`) with their standard error; landmarks are
decimal strings from Newton's method on the exact map.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.dynamics import LOGISTIC, diagram, find_landmarks, simulate

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def curves():
    with np.load(DATA / "dynamics_A.npz") as file:
        return {name.removeprefix("logistic/"): file[name] for name in file}


def test_landmarks_of_the_exact_map():
    expected = json.loads((DATA / "dynamics_A.json").read_text())["logistic"]
    found = find_landmarks(LOGISTIC, (2.8, 4.1), (0.0, 1.0))
    true = [float(text) for text in expected["superstable_R_n"]][1 : 1 + len(found.superstable)]
    assert len(found.superstable) == 9
    assert_allclose(found.superstable, true, rtol=0, atol=4e-15)
    # Aitken's limit of the last three of them, whose rounding it magnifies
    assert abs(found.accumulation - float(expected["accumulation"])) < 3e-12
    assert abs(found.period3 - float(expected["period3_onset"])) < 1e-14
    assert abs(found.band_merging - 3.678573510428322265104) < 1e-14
    assert abs(found.crisis - 4.0) < 1e-14
    assert found.delta == pytest.approx(4.669201609, abs=1e-4)


def test_orbits_before_chaos_tells_them_apart(curves):
    for r, orbit in zip(curves["orbit_param"], curves["orbits"], strict=True):
        data = simulate(LOGISTIC, np.array([r, r - 0.1]), 16, lambda rng, x=orbit[0]: np.array([x]), seed=0)
        assert_allclose(data.series[0][:, 0], orbit[:16], rtol=0, atol=1e-9)


def test_exponents_agree_within_their_sampling_error(curves):
    some = slice(None, None, 6)
    r, mean = curves["param"][some], curves["lyapunov"][some]
    spread = curves["lyapunov_per_x0"][some].std(axis=1)
    run = diagram(LOGISTIC, r, np.array([0.4]), burn=3000, steps=20_000, every=20_000)
    # a fifth of the steps, so sqrt(5) times the spread between start states; windows converge like 1 / steps
    assert np.all(np.abs(run.exponents - mean)[mean > -1.0] < (5 * np.sqrt(5) * spread + 3e-3)[mean > -1.0])
