"""What a structured weight costs beside a free one, and beside what other libraries make of it.

    uv run --group bench python -m benchmarks.weights [--json FILE] [--only PART]...

Every figure is a ratio of shortest times within one process, forward and backward unless it says otherwise; accuracies are
absolute. Peers of torch are divided by torch's own dense layer. On a busy machine hold it to one CPU: `taskset -c 1 uv run ...`;
then processor times are compared instead of wall times.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from benchmarks.interleaved import best_seconds, both_ways, cpus, forward
from benchmarks.torch_peers import orthogonal_jobs, symmetric_jobs
from parametra.core.files import write_text
from parametra.networks import RESNET_50, RESNET_101, LanguageModel, LSTMCell, ResNet, RNNCell, WideResNet
from parametra.store.metrics import Metric
from parametra.weights import Dense, FreeKernel, Reflectors, SpectralWeight, hadamard, parametrize, stacked, symmetric
from parametra.weights.convolve import convolve
from parametra.weights.kernel import patches

KEY = jax.random.key(0)
SIZE, BATCH = 1024, 128


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with --json also write its rows."""
    parser = argparse.ArgumentParser(description="Cost and accuracy of structured weights.")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", action="append", choices=sorted(PARTS), help="a part of the table; may be given again")
    options = parser.parse_args(arguments)
    rows = []
    print(f"{cpus()} CPU(s), jax {jax.__version__}", flush=True)
    for name in options.only or PARTS:
        for row in PARTS[name]():
            mark = {True: "reached", False: "missed", None: ""}[row.passed]
            aim = "" if row.target is None else f"{'<=' if row.better == 'lower' else '>='} {row.target:g}"
            print(f"{row.name:<78} {row.value:12.4g} {aim:>10} {mark}", flush=True)
            rows.append(row)
    if options.json is not None:
        write_text(options.json, json.dumps([row.to_dict() for row in rows], indent=1) + "\n")


def at_most(name: str, value: float, target: float | None, unit: str = "1", kind: str = "cost") -> Metric:
    """A row that passes at or below its target."""
    return Metric(name, value, unit, target, "lower", "cost" if kind == "cost" else "skill", "benchmarks.weights")


def at_least(name: str, value: float, target: float | None) -> Metric:
    """A row that passes at or above its target."""
    return Metric(name, value, "1", target, "higher", "cost", "benchmarks.weights")


def apply(weight, x: Array) -> Array:
    """The layer that is measured."""
    return weight.apply(x)


def group() -> list[Metric]:
    """Hadamard blocks against a free matrix."""
    free = Dense.init(KEY, SIZE, SIZE)
    x = jax.random.normal(KEY, (BATCH, SIZE))
    weights = {"dense": free, "4": hadamard(4)(free.matrix), "8": hadamard(8)(free.matrix)}
    seconds = best_seconds({name: both_ways(apply, weight, x) for name, weight in weights.items()}, 20)
    eight = weights["8"]
    values = best_seconds(
        {
            "svd": forward(lambda w, _: jnp.linalg.svd(w, compute_uv=False), eight.unwrap(), x),
            "blocks": forward(lambda w, _: w.singular_values(), eight, x),
        },
        4,
    )
    return [
        at_least("Hadamard-4, n = 1024, batch 128: dense over it", seconds["dense"] / seconds["4"], 3.0),
        at_least("Hadamard-8, n = 1024, batch 128: dense over it", seconds["dense"] / seconds["8"], None),
        at_least("singular values of Hadamard-8, n = 1024: dense SVD over it", values["svd"] / values["blocks"], 30.0),
    ]


def convolution() -> list[Metric]:
    """A Hadamard-4 kernel of 512 channels against XLA's convolution and im2col; a free kernel trained in a compiled loop."""
    kernel = jax.random.normal(KEY, (512, 512, 3, 3)) / 68.0
    x = jax.random.normal(KEY, (8, 8, 8, 512))
    taps = FreeKernel.from_dense(kernel).taps()

    def im2col(taps: Array, x: Array) -> Array:
        return jnp.concatenate(patches(x, (3, 3), 1, "SAME"), -1) @ taps.reshape(-1, 512)

    seconds = best_seconds(
        {
            "xla": both_ways(xla, taps, x),
            "im2col": both_ways(im2col, taps, x),
            "hadamard": both_ways(apply, hadamard(4)(kernel), x),
        },
        10,
    )
    faster = min(seconds["xla"], seconds["im2col"])
    middle, wide = jax.random.normal(KEY, (256, 256, 3, 3)) / 48.0, jax.random.normal(KEY, (16, 16, 16, 256))
    ways = {
        "xla": both_ways(xla, FreeKernel.from_dense(middle).taps(), wide),
        "hadamard": both_ways(apply, hadamard(4)(middle), wide),
    }
    larger = best_seconds(ways, 4)
    few, images = jax.random.normal(KEY, (3, 3, 64, 64)) / 24.0, jax.random.normal(KEY, (16, 16, 16, 64))
    loops = {"xla": xla, "ours": lambda w, v: convolve(v, w, 1, "SAME")}
    looped = best_seconds({name: both_ways(four_times(way), few, images) for name, way in loops.items()}, 3)
    return [
        at_least("3 x 3, 64 channels, in a compiled loop: XLA's convolution over ours", looped["xla"] / looped["ours"], None),
        at_least("Hadamard-4 convolution 3 x 3, 512 channels: XLA's over it", seconds["xla"] / seconds["hadamard"], 4.0),
        at_least("Hadamard-4 convolution: the faster of XLA's and im2col over it", faster / seconds["hadamard"], 3.2),
        at_least("the same of 256 channels of 16 x 16 pixels: XLA's over it", larger["xla"] / larger["hadamard"], None),
    ]


def xla(taps: Array, x: Array) -> Array:
    """The convolution as JAX gives it."""
    return jax.lax.conv_general_dilated(x, taps, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def four_times(way: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """A convolution of four signals, one after another in a compiled loop."""

    def run(taps: Array, x: Array) -> Array:
        return jax.lax.scan(lambda y, _: (jnp.tanh(way(taps, y)), None), x, None, length=4)[0]

    return run


def vector() -> list[Metric]:
    """One vector: half of the bytes."""
    rows = []
    for size in (1024, 2048, 4096):
        free = Dense.init(KEY, size, size)
        packed, x = symmetric()(free.matrix), jax.random.normal(KEY, (size,))
        jobs = {
            "dense": forward(lambda w, v: w.matrix @ v, free, x),
            "packed": forward(lambda w, v: w.matvec(v), packed, x),
            "dense, both ways": both_ways(lambda w, v: w.matrix @ v, free, x),
            "packed, both ways": both_ways(lambda w, v: w.matvec(v), packed, x),
        }
        seconds = best_seconds(jobs, 204800 // size)
        once, twice = seconds["dense"] / seconds["packed"], seconds["dense, both ways"] / seconds["packed, both ways"]
        rows.append(at_least(f"packed symmetric times a vector, n = {size}, forward: dense over it", once, None))
        rows.append(at_least(f"packed symmetric times a vector, n = {size}, both ways: dense over it", twice, 1.7))
    return rows


def packed() -> list[Metric]:
    """A batch: the same multiplications, half of the numbers."""
    free = Dense.init(KEY, SIZE, SIZE)
    x = jax.random.normal(KEY, (BATCH, SIZE))
    jobs = {
        "dense": both_ways(apply, free, x),
        "packed": both_ways(apply, symmetric()(free.matrix), x),
        "average": both_ways(lambda w, v: v @ ((w + w.T) / 2), free.matrix, x),
    }
    seconds = best_seconds({**jobs, **symmetric_jobs()}, 20)
    ours, theirs = seconds["packed"] / seconds["dense"], seconds["geotorch symmetric"] / seconds["torch dense"]
    return [
        at_most("packed symmetric, n = 1024, batch 128, over dense", ours, 1.10),
        at_most("naive (V + V^T)/2 over dense", seconds["average"] / seconds["dense"], None),
        at_most("geotorch 0.4.0 symmetric over torch's dense", theirs, None),
        at_least("geotorch's ratio over ours", theirs / ours, 3.0),
    ]


def lstm() -> list[Metric]:
    """A training step of an LSTM-650 with symmetric hidden-to-hidden matrices."""
    cell = LSTMCell.init(KEY, 650, 650)
    tied = parametrize(cell, lambda cell: cell.hidden, stacked(4, symmetric()))
    x = jax.random.normal(KEY, (35, 20, 650))
    seconds = best_seconds({n: both_ways(lambda c, v: c.run(v)[0], c, x) for n, c in {"dense": cell, "tied": tied}.items()}, 5)
    return [at_most("LSTM-650 step with symmetric W_hh over dense", seconds["tied"] / seconds["dense"], 1.02)]


def spectral() -> list[Metric]:
    """Products of reflectors against a free matrix, the paper's sequential way, and torch's orthogonal matrices."""
    free = Dense.init(KEY, SIZE, SIZE)
    x = jax.random.normal(KEY, (BATCH, SIZE))
    weights = {m: SpectralWeight.init(KEY, SIZE, SIZE, m, (0.5, 1.5)) for m in (16, 128, SIZE)}
    jobs = {"dense": both_ways(apply, free, x), **{f"{m}": both_ways(apply, w, x) for m, w in weights.items()}}
    jobs["sequential"] = both_ways(sequential, weights[128], x)
    seconds = best_seconds(jobs, 8)
    ratio = {name: value / seconds["dense"] for name, value in seconds.items()}
    peers = best_seconds(orthogonal_jobs(), 2)
    full = ratio[f"{SIZE}"]
    maps = {name: peers[f"torch orthogonal ({name})"] / peers["torch dense"] for name in ("default", "cayley", "householder")}
    return [
        at_most("spectral, n = 1024, batch 128, 16 reflectors a side, over dense", ratio["16"], 0.3),
        at_most("spectral, 128 reflectors a side, over dense", ratio["128"], 1.0),
        at_most("spectral, 1024 reflectors a side, over dense", full, 6.0),
        at_most("the paper's way, one of 128 reflectors after another, over dense", ratio["sequential"], None),
        at_least("torch's default orthogonal map over ours, m = n, ratios to dense", maps["default"] / full, 20.0),
        at_least("torch's Cayley map over ours, m = n, ratios to dense", maps["cayley"] / full, 3.0),
        at_least("torch's householder map over ours, m = n, ratios to dense", maps["householder"] / full, None),
    ]


def sequential(weight: SpectralWeight, x: Array) -> Array:
    """U diag(sigma) V^T one reflector after another, as Zhang, Lei & Dhillon (2018) multiply."""

    def reflect(y: Array, row: Array) -> tuple[Array, None]:
        return y - 2 * (y @ row)[:, None] * row / (row @ row), None

    right, _ = jax.lax.scan(reflect, x, weight.right.rows())
    left, _ = jax.lax.scan(reflect, right * weight.signed, weight.left.rows(), reverse=True)
    return left


def recurrent() -> list[Metric]:
    """A training step of the spectral RNN against the vanilla one."""
    rows = []
    for size, reflectors, steps, target, repeats in ((128, 16, 200, 1.1, 10), (1024, 128, 30, 0.8, 4)):
        spectral_cell = RNNCell.spectral(KEY, size, size, reflectors, activation="tanh")
        cells = {"rnn": RNNCell.init(KEY, size, size), "spectral": spectral_cell}
        x = jax.random.normal(KEY, (steps, 32, size))
        jobs = {name: both_ways(lambda c, v: c.run(v)[0], cell, x) for name, cell in cells.items()}
        seconds = best_seconds(jobs, repeats)
        name = f"spectral RNN step, n = {size}, m = {reflectors}, T = {steps}, over a vanilla RNN's"
        rows.append(at_most(name, seconds["spectral"] / seconds["rnn"], target))
    return rows


def accuracy() -> list[Metric]:
    """Round-off of orthogonality and of singular values; reach of the parameterization, in float64."""
    rows, normal = [], np.random.default_rng(0).normal(size=(SIZE, SIZE))
    close = normal[:1] + 1e-3 * normal
    with jax.enable_x64(True):
        for kind, matrix, dtype, target in (
            ("random reflectors, float32", normal, np.float32, 2e-6),
            ("random reflectors, float64", normal, np.float64, 1e-13),
            ("nearly equal reflectors, float32", close, np.float32, 2e-5),
        ):
            q = np.asarray(Reflectors.from_rows(jnp.asarray(matrix, dtype)).unwrap(), np.float64)
            rows.append(at_most(f"|Q^T Q - I|, n = 1024, {kind}", np.abs(q.T @ q - np.eye(SIZE)).max(), target, kind="skill"))
        start = SpectralWeight.init(KEY, SIZE, SIZE, "full", (0.5, 1.5))
        weight = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), start)
        weight = eqx.tree_at(lambda w: w.free, weight, jnp.asarray(normal[0], jnp.float32))
        true = np.linalg.svd(np.asarray(weight.unwrap(), np.float64), compute_uv=False)
        error = float(np.abs(np.sort(np.asarray(weight.singular_values()))[::-1] - true).max())
        rows.append(at_most("|sigma reported - true|, n = 1024, float32", error, 2e-6, kind="skill"))
        rows.extend(expressivity(normal))
    return rows


def expressivity(normal: np.ndarray) -> list[Metric]:
    """Any matrix from free parameters."""
    square = normal[:48, :48]
    flipped = square.copy()
    flipped[0] *= -1
    cases = {"square": square, "square, other determinant": flipped, "wide": normal[:24, :60], "tall": normal[:60, :24]}
    rows = []
    for kind, matrix in cases.items():
        rebuilt = np.asarray(SpectralWeight.from_matrix(jnp.asarray(matrix)).unwrap())
        error = float(np.linalg.norm(rebuilt - matrix) / np.linalg.norm(matrix))
        rows.append(at_most(f"relative error of a random matrix rebuilt, {kind}, float64", error, 1e-12, kind="skill"))
    return rows


def counts() -> list[Metric]:
    """Parameters under channel-wise symmetry, by shapes alone."""

    def count(build: Callable[[], object]) -> int:
        shapes = jax.tree.leaves(eqx.filter_eval_shape(build))
        return sum(math.prod(leaf.shape) for leaf in shapes if hasattr(leaf, "shape"))

    def language_model() -> object:
        model = LanguageModel.init(KEY, 10_000)
        return parametrize(model, lambda m: [cell.hidden for cell in m.cells], stacked(4, symmetric()))

    cases = {
        "ResNet-50": (lambda: parametrize(ResNet.init(KEY, RESNET_50), ResNet.middle_kernels, symmetric()), 19_915_400),
        "ResNet-101": (lambda: parametrize(ResNet.init(KEY, RESNET_101), ResNet.middle_kernels, symmetric()), 33_913_608),
        "WRN-40-10": (lambda: parametrize(WideResNet.init(KEY, 40, 10), WideResNet.square_kernels, symmetric()), 2_743_394),
        "LSTM-650": (language_model, 18_093_000),
    }
    rows = []
    for name, (build, published) in cases.items():
        difference = abs(count(build) - published)
        rows.append(at_most(f"{name}, channel-wise symmetric: parameters away from {published:,}", difference, 0, kind="skill"))
    return rows


PARTS: dict[str, Callable[[], list[Metric]]] = {
    "group": group, "convolution": convolution, "vector": vector, "packed": packed, "lstm": lstm, "spectral": spectral,
    "recurrent": recurrent, "accuracy": accuracy, "counts": counts,
}  # fmt: skip

if __name__ == "__main__":
    main(sys.argv[1:])
