"""Kernels against neural-tangents (git c17e770, jax 0.5.3, float64; configuration beside the values)."""

import json
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parametra.networks import ntk
from parametra.wide import kernel

DATA = Path(__file__).parent / "data"
CASES = json.loads((DATA / "kernels_A.json").read_text())
ARRAYS = np.load(DATA / "kernels_A.npz")
KINKED = ("relu", "leakyrelu", "abrelu", "gelu")


def activation(case):
    args = case.get("act_args", {})
    return {
        "relu": lambda: ntk.ReLU(),
        "erf": lambda: ntk.Erf(),
        "gelu": lambda: ntk.GELU(),
        "leakyrelu": lambda: ntk.LeakyReLU(args["alpha"]),
        "abrelu": lambda: ntk.ABReLU(args["a"], args["b"]),
        "sin": lambda: ntk.Sine(args["a"], args["b"], args["c"]),
        "rbf": lambda: ntk.Sine.features_of_gaussian_kernel(args["gamma"]),
    }[case["act"]]()


def network(key, case, inputs):
    width = 4
    w, b, phi = case["W_std"], case["b_std"], activation(case)
    if case["net"] == "resfc":
        return ntk.residual_network(key, inputs, 1, width, case["blocks"], phi, w_std=w, b_std=b)
    if case["net"] == "fc":
        hidden = case.get("widths", [width] * case["depth"])
        chain = ntk.dense_network(
            key, inputs, 1, hidden, phi, w_std=w, b_std=b, parameterization=case.get("parameterization", "ntk")
        )
        if not case.get("layernorm"):
            return chain
        layers = [
            part
            for layer in chain.layers[:-1]
            for part in ((layer, ntk.LayerNorm(case["ln_eps"])) if isinstance(layer, ntk.Dense) else (layer,))
        ]
        return ntk.Chain((*layers, chain.layers[-1]))
    layers, channels = [], 3
    for depth in range(case["depth"]):
        conv = ntk.Conv.init(
            key, channels, width, tuple(case.get("filter", (3, 3))), w_std=w, b_std=b,
            strides=tuple(case.get("strides", (1, 1))), padding=case["padding"],
        )  # fmt: skip
        layers += [conv, phi]
        channels = width
        if case.get("avgpool_after") == depth:
            layers.append(ntk.AveragePool())
    head = ntk.GlobalAveragePool() if case["head"] == "gap" else ntk.Flatten()
    features = ntk.Chain((*layers, head))(jnp.zeros((1, 8, 8, 3))).shape[-1]
    return ntk.Chain((*layers, head, ntk.Dense.init(key, features, 1, w, b)))


@pytest.mark.x64
@pytest.mark.parametrize("name", CASES)
def test_kernels_agree_with_neural_tangents(name):
    case = CASES[name]
    with jax.enable_x64(True):
        x1, x2 = (jnp.asarray(ARRAYS[f"{name}/{key}"]) for key in ("x1", "x2"))
        function = kernel(eqx.filter_eval_shape(network, jax.random.key(0), case, x1.shape[-1]))
        found = {"11": function(x1), "12": function(x1, x2), "22": function(x2)}
        for which in ("nngp", "ntk"):
            sizes = {side: np.sqrt(np.diag(ARRAYS[f"{name}/{which}{side}{side}"])) for side in "12"}
            for pair, value in found.items():
                scale = np.outer(sizes[pair[0]], sizes[pair[1]])
                error = np.abs(np.asarray(getattr(value, which)) - ARRAYS[f"{name}/{which}{pair}"]) / scale
                # near-parallel inputs cost the peer digits in the tangent kernels of kinked functions: its own limit is 1e-7
                tolerance = 1e-7 if which == "ntk" and case["act"] in KINKED else 1e-12
                assert error.max() < tolerance, (which, pair, error.max())
                if pair == "12" and case["act"] != "gelu" and "conv" not in case["net"]:
                    assert error.max() < 1e-12, (which, pair, error.max())
