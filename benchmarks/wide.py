"""Kernels of wide networks beside a plain recursion, the published structured derivatives, contracted Jacobians, and one matmul.

    uv run python -m benchmarks.wide [--json FILE] [--small] [--mnist DIR]

Ratios are of the minima of interleaved repetitions in one process, compile time apart. --small divides the sizes, for a look at
whether it runs; its ratios mean nothing. --mnist adds kernel regression on all training images.

neural-tangents needs an environment of its own, since it does not import on a current JAX:

    uv venv nt --python 3.11
    uv pip install --python nt jax==0.5.3 jaxlib==0.5.3 "git+https://github.com/google/neural-tangents"

There, `nt.stax.serial(Dense(512, 2**.5), Relu(), ...)[2]` under jax.jit and `nt.empirical_ntk_fn(..., implementation=n)` on the
inputs below (seed 0) give the times to divide by; run both environments in turn on an idle machine.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.interleaved import best_seconds
from parametra.core.files import write_text
from parametra.networks import MLP, ntk
from parametra.store.metrics import Metric
from parametra.wide import empirical_ntk, fit_score, gram, kernel

REPEATS = 7


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Cost of the kernels of wide networks.")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--mnist", type=Path)
    parsed = parser.parse_args(arguments)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, jax {jax.__version__}, {jax.devices()[0].device_kind}")
    rows = [*grams(parsed.small), *convolution(parsed.small), *empirical(parsed.small), *score()]
    if parsed.mnist is not None:
        rows += mnist(parsed.mnist)
    for row in rows:
        mark = {True: "reached", False: "missed", None: ""}[row.passed]
        print(f"{row.name:<86} {row.value:10.3g} {row.unit:<4} {row.target or '':>8} {mark}")
    if parsed.json is not None:
        write_text(parsed.json, json.dumps([row.to_dict() for row in rows], indent=1) + "\n")


def network(inputs: int, activation: Any = None, b_std: float | None = None) -> Any:
    make = lambda key: ntk.dense_network(key, inputs, 10, (512,) * 3, activation, b_std=b_std)
    return eqx.filter_eval_shape(make, jax.random.key(0))


def plain(x: jax.Array, activation: str, b: float) -> tuple[jax.Array, jax.Array]:
    """The recursion of depth 3 on the whole matrix, as anyone would write it; sw2 = 2."""
    K = 2.0 * (x @ x.T) / x.shape[1] + b
    theta = K
    for _ in range(3):
        d = jnp.diagonal(K)
        if activation == "relu":
            size = jnp.sqrt(d[:, None] * d[None])
            rho = jnp.clip(K / size, -1.0, 1.0)
            angle = jnp.arccos(rho)
            T, slope = size / (2 * jnp.pi) * (jnp.sqrt(1 - rho**2) + (jnp.pi - angle) * rho), (jnp.pi - angle) / (2 * jnp.pi)
        else:
            size = (1 + 2 * d)[:, None] * (1 + 2 * d)[None]
            T = 2 / jnp.pi * jnp.arcsin(2 * K / jnp.sqrt(size))
            slope = 4 / jnp.pi / jnp.sqrt(size - 4 * K**2)
        K = 2.0 * T + b
        theta = K + 2.0 * theta * slope
    return K, theta


def grams(small: bool) -> list[Metric]:
    count = 400 if small else 4000
    x = jnp.asarray(np.random.default_rng(0).normal(size=(count, 784)), jnp.float32)
    relu, erf = network(784), network(784, ntk.Erf(), 0.1**0.5)
    product = jax.jit(lambda x: x @ x.T)  # arguments, not constants: the compiler would do the work at compile time
    recursion = jax.jit(plain, static_argnums=(1, 2))
    jobs: dict[str, Callable[[], Any]] = {
        "product": lambda: product(x), "plain relu": lambda: recursion(x, "relu", 0.0),
        "plain erf": lambda: recursion(x, "erf", 0.1),
        "relu": lambda: gram(relu, x), "erf": lambda: gram(erf, x),
    }  # fmt: skip
    seconds = best_seconds(jobs, REPEATS)
    few = x[:400]
    found = gram(relu, few)
    with jax.enable_x64(True):
        exact = kernel(relu)(jnp.asarray(np.asarray(few), jnp.float64))
    scale = np.sqrt(np.outer(*(np.diag(exact.ntk),) * 2))
    error = np.abs(np.asarray(found.ntk.dense()) - np.asarray(exact.ntk)) / scale
    where = f"N = {count}, 784 inputs, depth 3, both kernels, float32, packed"
    return [
        row(f"Gram relu: plain over ours ({where})", seconds["plain relu"] / seconds["relu"], 4.0, "higher"),
        row("Gram relu: ours over one matrix product", seconds["relu"] / seconds["product"], 1.1),
        row("Gram erf with bias: plain over ours", seconds["plain erf"] / seconds["erf"], 1.7, "higher"),
        row("Gram relu, ntk: float32 error over sqrt(K_ii K_jj), N = 400", float(error.max()), 1e-5),
        row("Gram relu, ntk: float32 error of the diagonal", float(np.diag(error).max()), 1e-5),
        Metric("matrix product", seconds["product"], "s", kind="cost"),
    ]


def plain_convolution(x1: jax.Array, x2: jax.Array) -> jax.Array:
    """3 x [3 x 3 convolution, ReLU], global pooling over the (HW)² tensor, nine shifts of zeros per convolution."""
    K = jnp.einsum("hwc,HWc->hwHW", x1, x2) / x1.shape[-1]
    d1, d2 = ((x * x).mean(-1) for x in (x1, x2))
    theta = jnp.zeros_like(K)

    def shift(t: jax.Array, pairs: int) -> jax.Array:
        n, m = t.shape[0], t.shape[1]
        padded = jnp.pad(t, ((1, 1),) * t.ndim)
        total = jnp.zeros_like(t)
        for i in range(3):
            for j in range(3):
                total += padded[(slice(i, i + n), slice(j, j + m)) * pairs]
        return total / 9

    for _ in range(3):
        K, d1, d2 = 2 * shift(K, 2), 2 * shift(d1, 1), 2 * shift(d2, 1)
        theta = K + 2 * shift(theta, 2)
        size = jnp.sqrt(d1[:, :, None, None] * d2)
        rho = jnp.clip(K / size, -1, 1)
        angle = jnp.arccos(rho)
        K = size / (2 * jnp.pi) * (jnp.sqrt(1 - rho**2) + (jnp.pi - angle) * rho)
        theta = theta * (jnp.pi - angle) / (2 * jnp.pi)
        d1, d2 = d1 / 2, d2 / 2
    return jnp.stack([2 * K.mean(), 2 * K.mean() + 2 * theta.mean()])


def convolution(small: bool) -> list[Metric]:
    side = 8 if small else 32
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, side, side, 3)), jnp.float32)
    model = eqx.filter_eval_shape(lambda key: ntk.conv_network(key, 3, 10, (64,) * 3), jax.random.key(0))
    function = kernel(model)
    each = jnp.arange(4)

    @jax.jit
    def whole(x: jax.Array) -> jax.Array:
        return jax.lax.map(lambda i: jax.lax.map(lambda j: plain_convolution(x[i], x[j]), each), each)

    seconds = best_seconds({"plain": lambda: whole(x), "ours": lambda: function(x)}, 3)
    found = function(x)
    value = np.asarray(whole(x))
    error = max(np.abs(value[..., 0] - found.nngp).max(), np.abs(value[..., 1] - found.ntk).max()) / np.abs(value).max()
    return [
        row(
            f"convolution and pooling, {side} x {side}: plain over ours, 4 x 4 images",
            seconds["plain"] / seconds["ours"],
            10.0,
            "higher",
        ),
        row("convolution and pooling: difference over the largest entry", float(error), 1e-4),
        Metric("convolution and pooling: ours, per unordered pair", seconds["ours"] / 10, "s", kind="cost"),
    ]


def published(model: Any, x: jax.Array) -> jax.Array:
    """Structured derivatives of Novak et al. (2022), of the trace: output blocks with i = j alone."""
    layers = [layer for layer in model.layers if isinstance(layer, ntk.Dense)]

    def run(taps: list[jax.Array], x: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
        entering = []
        for number, (layer, tap) in enumerate(zip(layers, taps, strict=True)):
            x = jax.nn.relu(x) if number else x
            entering.append(x)
            x = layer(x) + tap
        return x, entering

    zero = [jnp.zeros(layer.weight.shape[0]) for layer in layers]
    deltas, entering = jax.vmap(lambda x: jax.jacobian(run, has_aux=True)(zero, x))(x)
    total = jnp.zeros((len(x), len(x)))
    for layer, a, d in zip(layers, entering, deltas, strict=True):
        total += layer.scales[0] ** 2 * (a @ a.T) * jnp.einsum("nim,Nim->nN", d, d)
    return total / deltas[-1].shape[1]


def empirical(small: bool) -> list[Metric]:
    count = 10 if small else 100
    width = 64 if small else 512
    model = ntk.dense_network(jax.random.key(0), 784, 10, (width, width))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(count, 784)), jnp.float32)
    free, fixed = eqx.partition(model, eqx.is_inexact_array)

    @jax.jit
    def contracted(free: Any, x: jax.Array) -> jax.Array:
        rows = jax.vmap(lambda x: jax.jacrev(lambda free: eqx.combine(free, fixed)(x))(free))(x)
        flat = jnp.concatenate([leaf.reshape(*leaf.shape[:2], -1) for leaf in jax.tree.leaves(rows)], -1)
        return jnp.einsum("nkp,mkp->nm", flat, flat) / flat.shape[1]

    theirs = eqx.filter_jit(published)
    ours = lambda: empirical_ntk(model, x)
    quick = best_seconds({"ours": ours, "published": lambda: theirs(model, x)}, 30)
    seconds = best_seconds({"ours": ours, "contracted": lambda: contracted(free, x)}, 2)
    error = float(jnp.abs(ours() - contracted(free, x)).max() / ours().max())
    rows = [
        row(f"empirical ntk 784-{width}-{width}-10, {count} x {count}: contracted Jacobian over ours",
            seconds["contracted"] / quick["ours"], 300.0, "higher"),
        row("empirical ntk: ours over the structured derivatives as published", quick["ours"] / quick["published"], 0.7),
        row("empirical ntk: difference from the contracted Jacobian over the largest", error, 1e-5),
    ]  # fmt: skip
    return rows + torch_rows(count, width, quick["ours"])


def torch_rows(count: int, width: int, ours: float) -> list[Metric]:
    """torch.func's vmap(jacrev), where torch is installed."""
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError:
        print("torch is not installed: its row is left out (uv run --with torch python -m benchmarks.wide)")
        return []
    net = torch.nn.Sequential(
        torch.nn.Linear(784, width), torch.nn.ReLU(), torch.nn.Linear(width, width), torch.nn.ReLU(), torch.nn.Linear(width, 10)
    )
    x, parameters = torch.randn(count, 784), dict(net.named_parameters())

    def one(parameters: Any, x: Any) -> Any:
        return torch.func.functional_call(net, parameters, (x,))

    def job() -> Any:
        rows = torch.func.vmap(torch.func.jacrev(one), (None, 0))(parameters, x)
        return sum(torch.einsum("nkp,mkp->nm", r.flatten(2), r.flatten(2)) for r in rows.values())

    started = time.perf_counter()
    job()
    return [row("empirical ntk: torch.func over ours (one call)", (time.perf_counter() - started) / ours, None, "higher")]


def score() -> list[Metric]:
    """The off-manifold score beside a pass of the emulator's network, 8,192 columns."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(8192, 94)), jnp.float32)
    emulator = MLP.init(jax.random.key(0), 94, 65, (256,) * 9)
    small = eqx.filter_eval_shape(lambda key: ntk.dense_network(key, 94, 1, (64,) * 3), jax.random.key(0))
    forward = eqx.filter_jit(emulator)
    jobs: dict[str, Callable[[], Any]] = {"emulator": lambda: forward(x)}
    for landmarks in (64, 128):
        run = eqx.filter_jit(fit_score(small, x, landmarks=landmarks))
        jobs[str(landmarks)] = lambda run=run: run(x)
    seconds = best_seconds(jobs, REPEATS)
    return [
        row(f"score with {m} landmarks over a 9 x 256 network's forward pass", seconds[m] / seconds["emulator"], target)
        for m, target in (("64", 0.1), ("128", None))  # 64 is the default
    ]


def mnist(folder: Path) -> list[Metric]:
    """Kernel regression on all 60,000 images through the study's own stage."""
    import subprocess
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as out:
        sets = [f"data.folder='{folder}'", "data.name='mnist'", "data.classes=10"]
        code = (
            "import sys; from pathlib import Path; from parametra.core.progress import Progress; from "
            "parametra.store.runfolder import "
            "RunFolder; from parametra.studies.base import Run; from parametra.studies.wide import STUDY; from "
            "parametra.studies.wide.regression import run_regression; config = STUDY.resolve('mini', sys.argv[2:]); folder = "
            "RunFolder.open(sys.argv[1] + '/run', 'wide', 'mini', {}); rows = run_regression(Run(folder, config, "
            "Progress()))['metrics']; folder.write_metrics(rows)"
        )
        subprocess.run([sys.executable, "-c", code, out, *sets], check=True)
        rows = json.loads((Path(out) / "run" / "metrics.json").read_text())["metrics"]
    asked = {"regression: both kernels, wall time": 900.0, "regression: peak memory of the run": 20.0}
    return [Metric.from_dict(values | {"target": asked.get(values["name"], values["target"])}) for values in rows]


def row(name: str, value: float, target: float | None, better: Any = "lower") -> Metric:
    return Metric(name, value, "1", target, better, "cost", "minimum of interleaved repetitions")


if __name__ == "__main__":
    main()
