from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.dynamics import HENON, Design, find_landmarks, fit, select, simulate
from parametra.dynamics.fitting import covariance
from parametra.dynamics.selection import Ranked, prefer_simple
from parametra.dynamics.shooting import observed, orbit_error, orbit_residuals
from parametra.dynamics.sparse import sparse_supports

SPARSE = Design(degree=4, coefficients="powers", terms=2)
NET = Design(main="network", hidden=(5,), ridge=1e-20, restarts=1, steps=40)


def test_the_right_terms_are_found_among_correlated_ones():
    rng = np.random.default_rng(0)
    x, r = rng.uniform(0, 1, 400), rng.uniform(2.8, 3.5, 400)
    features = np.stack([r**k * x**i for k in range(3) for i in range(5)], axis=1)
    target = (2.0 * r * x - 3.0 * x**3 + 1e-3 * rng.normal(size=400))[:, None]
    found = {int(support.mask.sum()): support for support in sparse_supports(features, target)}
    assert sorted(found) == list(range(1, 16))
    assert np.flatnonzero(found[2].mask).tolist() == [3, 6]
    assert_allclose(found[2].values[[3, 6], 0], [-3.0, 2.0], rtol=1e-3)
    errors = [found[n].error for n in range(15, 0, -1)]
    assert all(b >= a * (1 - 1e-9) for a, b in zip(errors[8:], errors[9:], strict=False))


def test_a_sparse_fit_of_clean_series_is_the_map_itself(clean):
    fitted = fit(SPARSE, clean)
    expected = np.zeros((3, 1, 5))
    expected[1, 0, 1:3] = 1.0, -1.0  # r x - r x^2
    assert_allclose(fitted.family.readout, expected, atol=1e-12)
    assert fitted.parameters == 2


def test_a_map_of_two_variables_gets_its_terms_in_each():
    data = simulate(HENON, np.array([0.2, 0.5, 0.8]), 6, lambda rng: rng.uniform(-0.5, 0.5, 2), seed=0, repeats=5)
    fitted = fit(Design(degree=2, terms=4), data)  # 1 + y - a x^2, and 0.3 x
    readout = np.asarray(fitted.family.readout)
    assert np.count_nonzero(fitted.mask) == 4
    assert_allclose(readout[0, 0, [0, 2]], [1.0, 1.0], atol=1e-10)
    assert readout[1, 0, 3] == pytest.approx(-1.0, abs=1e-10)
    assert readout[0, 1, 1] == pytest.approx(0.3, abs=1e-10)


def test_a_trained_network_that_saw_no_chaos_places_its_onset(clean):
    fitted = fit(NET, clean)
    found = find_landmarks(fitted.family, (2.8, 4.1), (0.0, 1.0))
    assert abs(found.accumulation - 3.5699456718709449) < 1e-3
    assert abs(found.crisis - 4.0) < 1e-2


def test_adam_lowers_the_error_before_levenberg_marquardt_starts(clean):
    few = NET.model_copy(update={"steps": 1})
    assert fit(few.model_copy(update={"adam": 100}), clean).error < fit(few, clean).error


def test_shooting_removes_the_bias_that_noise_gives_a_one_step_fit(noisy):
    one, many = (fit(SPARSE.model_copy(update={"loss": loss}), noisy) for loss in ("one-step", "shooting"))
    true = np.zeros((3, 1, 5))
    true[1, 0, 1:3] = 1.0, -1.0
    far = [np.abs(np.asarray(f.family.readout) - true).max() for f in (one, many)]
    assert far[1] < far[0] / 3
    spread = np.concatenate(noisy.series).std()
    assert many.error * spread == pytest.approx(0.01, rel=0.15)  # what is left is the noise, less the fitted initial states


def test_the_bound_is_that_of_the_two_coefficients_written_out(noisy):
    """x' = r (a x - b x^2): the inverse Fisher information of a and b at the truth, initial states eliminated, in NumPy alone."""
    design, noise, step = SPARSE.model_copy(update={"loss": "shooting"}), 0.01, 1e-6

    def orbit(x, a, b, r, steps):
        path = []
        for _ in range(steps):
            path.append(x)
            x = r * (a * x - b * x * x)
        return np.array(path)

    information = np.zeros((2, 2))
    fitted = fit(design, noisy)
    for series, r, start in zip(noisy.series, noisy.known[:, 0], fitted.starts[:, 0], strict=True):
        length = len(series)
        at = lambda x, a, b, r=r, n=length: orbit(x, a, b, r, n)
        by_theta = np.stack(
            [at(start, 1 + step, 1) - at(start, 1 - step, 1), at(start, 1, 1 + step) - at(start, 1, 1 - step)], axis=1
        ) / (2 * step)
        by_start = at(start + step, 1, 1) - at(start - step, 1, 1)
        by_start /= np.linalg.norm(by_start)
        by_theta -= np.outer(by_start, by_start @ by_theta)
        information += by_theta.T @ by_theta
    expected = noise * np.sqrt(np.diag(np.linalg.inv(information)))
    bound = np.sqrt(np.diag(covariance(fitted, noisy, noise / np.concatenate(noisy.series).std())))
    assert_allclose(bound, expected, rtol=0.03)  # at the fitted coefficients, which are off by a few of these


def test_repeated_fits_spread_as_the_bound_says(series_with):
    design = SPARSE.model_copy(update={"loss": "shooting"})
    off, bounds = [], []
    for seed in range(12):
        data = series_with(0.01, seed, controls=15, repeats=8)
        fitted = fit(design, data)
        if fitted.mask[1, 0, 1] and fitted.mask[1, 0, 2]:
            off.append(np.asarray(fitted.family.readout)[1, 0, 1:3] - [1.0, -1.0])
            bounds.append(np.sqrt(np.diag(covariance(fitted, data, 0.01 / np.concatenate(data.series).std()))))
    assert len(off) >= 10
    scatter = np.sqrt(np.mean((np.array(off) / bounds) ** 2, axis=0))
    assert np.all((scatter > 0.6) & (scatter < 1.5))  # chi-squared with ten degrees of freedom, 1 percent either side


def test_initial_states_are_found_and_escapes_are_dear(clean):
    fitted = fit(SPARSE, clean)
    with jax.enable_x64(True):
        seen = observed(clean)
        squares, escaped = orbit_error(fitted.family, seen)
        assert float(squares.sum()) < 1e-18
        assert not escaped.any()
        moved = seen._replace(control=seen.control + 3.0)  # r near 6: every orbit leaves
        assert float(np.abs(orbit_residuals(fitted.family, moved.states[:, 0], moved)).max()) >= 10.0


def test_series_left_out_do_not_move_the_fit(clean):
    keep = clean.known[:, 0] < 3.2
    with_weights = fit(NET.model_copy(update={"steps": 3}), clean, keep=keep)
    alone = fit(NET.model_copy(update={"steps": 3}), clean.where(keep))
    assert_allclose(with_weights.family.readout, alone.family.readout, rtol=1e-4, atol=1e-8)


def test_too_little_is_refused(clean):
    with pytest.raises(UsageError, match="two values of the control"):
        fit(SPARSE, clean, keep=clean.known[:, 0] < 2.85)
    with pytest.raises(UsageError, match="can keep 1 to 15 terms"):
        fit(SPARSE.model_copy(update={"terms": 16}), clean)


def test_edge_validation_ranks_and_takes_the_simplest_of_equals(clean):
    pool = [SPARSE.model_copy(update={"terms": n}) for n in (1, 2, 4)]
    selection = select(pool, clean)
    assert selection.chosen.design.terms == 2
    assert [one.design.terms for one in selection.ranking][-1] == 1
    assert selection.edge.max() == 3.5
    with pytest.raises(UsageError, match="no design"):
        select([], clean)


def test_the_simplest_within_one_standard_error_is_preferred_then_the_one_that_fits_inside():
    rows = ((7, 1.0, 0.1), (3, 1.03, 0.3), (3, 1.04, 0.2), (2, 1.2, 0.1))
    ranked = [Ranked(SPARSE.model_copy(update={"terms": n}), error, 0.1, n, inside) for n, error, inside in rows]
    assert [(one.parameters, one.inside) for one in prefer_simple(ranked)] == [(3, 0.2), (7, 0.1), (3, 0.3), (2, 0.1)]


def test_a_candidate_whose_orbits_escape_is_refused(clean, monkeypatch):
    def steep(design, data, **keywords):
        fitted = fit(design, data, keep=keywords["keep"])
        with jax.enable_x64(True):
            family = eqx.tree_at(lambda f: f.readout, fitted.family, jnp.full_like(fitted.family.readout, 1e6))
            squares, escaped = orbit_error(family, observed(data, ~keywords["keep"]))
        assert np.isfinite(squares).all()  # what says that an orbit escaped is no large number
        assert np.asarray(escaped).tolist() == (~keywords["keep"]).tolist()  # series without weight do not count
        return replace(fitted, family=family)

    monkeypatch.setattr("parametra.dynamics.selection.fit", steep)
    with pytest.raises(UsageError, match="10 of 10 orbits escape from the held-out series"):
        select([Design(degree=2)], clean)
