"""Predictions against neural-tangents and scipy's DOP853 (versions and conventions in the data's own record)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.wide import predict

DATA = Path(__file__).parent / "data"
CASES = json.loads((DATA / "predict_A.json").read_text())
ARRAYS = np.load(DATA / "predict_A.npz")
TIGHT: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-9}


def case(name):
    prefix = f"{name}/"
    return CASES[name], {key.removeprefix(prefix): ARRAYS[key] for key in ARRAYS.files if key.startswith(prefix)}


def run(config, a, optimiser=None, ridge=True):
    relative = not config["diag_reg_absolute_scale"]
    return predict.squared_loss(
        a["ntk_dd"], a["y_train"], optimiser or predict.GradientFlow(config["learning_rate"]),
        ridge=config["diag_reg"] if ridge else 0.0, relative=relative,
    )  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_mean_and_covariance_of_the_ensemble(name):
    config, a = case(name)
    for t, label in ((a["t"], "t"), (np.inf, "inf")):
        mean, covariance = run(config, a).ensemble(a["nngp_dd"], a["ntk_td"], a["nngp_td"], a["nngp_tt"], t)
        assert_allclose(mean, a[f"ensemble_ntk_mean_{label}"], **TIGHT)
        assert_allclose(covariance, a[f"ensemble_ntk_cov_{label}"], **TIGHT)
        mean, covariance = predict.posterior(
            a["nngp_dd"], a["y_train"], a["nngp_td"], a["nngp_tt"], t, predict.GradientFlow(config["learning_rate"]),
            noise=config["diag_reg"], relative=not config["diag_reg_absolute_scale"],
        )  # fmt: skip
        assert_allclose(mean, a[f"ensemble_nngp_mean_{label}"], **TIGHT)
        assert_allclose(covariance, a[f"ensemble_nngp_cov_{label}"], **TIGHT)


@pytest.mark.parametrize("name", CASES)
def test_training_curves_from_given_initial_outputs(name):
    config, a = case(name)
    for t, label in ((a["t"], "t"), (np.inf, "inf")):
        assert_allclose(run(config, a).test(a["ntk_td"], t, a["f0_test"], a["f0_train"]), a[f"mse_test_{label}"], **TIGHT)
        if config["diag_reg"] == 0:  # regularised, the peer's values at the training inputs are not those of any parameters
            assert_allclose(run(config, a).train(t, a["f0_train"]), a[f"mse_train_{label}"], **TIGHT)
    assert_allclose(run(config, a, ridge=False).critical_learning_rates().divergence, a["max_lr"], rtol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_equations_and_steps(name):
    config, a = case(name)
    rate, momentum = config["learning_rate_ode"], config["momentum"]
    flows = {"mse": predict.GradientFlow(rate), "mse_mom": predict.MomentumFlow(rate, momentum)}
    steps = {"mse": predict.GradientDescent(rate), "mse_mom": predict.HeavyBall(rate, momentum)}
    for loss in config["odes"]:
        if loss.startswith("ce"):
            continue
        for optimiser, t, label in ((flows[loss], a["t_ode"], "scipy"), (steps[loss], [1, 10, 100], "steps")):
            found = run(config, a, optimiser, ridge=False)
            assert_allclose(found.train(t, a["f0_train"]), a[f"{label}_{loss}_train"], **TIGHT)
            assert_allclose(found.test(a["ntk_td"], t, a["f0_test"], a["f0_train"]), a[f"{label}_{loss}_test"], **TIGHT)


def test_cross_entropy_as_an_equation_and_in_steps():
    config, a = case("A3_relu_d1_ce_momentum")
    rate = config["learning_rate_ode"]
    for optimiser, t, label, tolerance in (
        (predict.GradientFlow(rate), a["t_ode"], "scipy", 1e-8),  # the solver's own tolerance is 1e-9 per step
        (predict.GradientDescent(rate), [1, 10, 100], "steps", 1e-11),
    ):
        found = predict.cross_entropy(a["ntk_dd"], a["y_train"], a["f0_train"], optimiser)
        assert_allclose(found.train(t), a[f"{label}_ce_train"], rtol=0, atol=tolerance)
        assert_allclose(found.test(a["ntk_td"], t, a["f0_test"]), a[f"{label}_ce_test"], rtol=0, atol=tolerance)
