"""Stage universal: functions that a network with one symmetric hidden layer must be able to fit, and one that it cannot.

A symmetric matrix of d + m rows holds any free one, [[0, Uᵀ], [U, 0]] [x; 0] = [0; U x], and so does [[A, B], [B, A]] [x; 0] =
[A x; B x]: a symmetric hidden layer is as universal as a free one if the inputs are padded with zeros. Inputs tied in chunks
without padding see only the sum of the chunks; sin π(x₁ - x₂) has mean zero given x₁ + x₂, so there the best such network is 0.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.learn import RecipeConfig, fit_many, mean_squared_error
from parametra.networks import Linear
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.symmetry.config import SymmetryConfig, UniversalConfig
from parametra.weights import AbstractWeight, Chunked, Dense, GroupWeight, PackedSymmetric, Walsh, block_symmetric

KINDS = ("free", "symmetric", "block-symmetric", "chunked, padded", "chunked")
INPUTS, BATCH = 2, 256


class Shallow(eqx.Module):
    """v · tanh(W [x; 0] + b) + c.

    Attributes:
        hidden: W and b; W may have more inputs than there are.
        output: v and c.
    """

    hidden: Linear
    output: Linear

    def __call__(self, x: Float[Array, "n inputs"]) -> Float[Array, "n 1"]:
        """The network."""
        padding = self.hidden.weight.shape[1] - x.shape[1]
        return self.output(jnp.tanh(self.hidden(jnp.pad(x, ((0, 0), (0, padding))))))


def run_universal(run: Run) -> dict[str, Any]:
    """Errors of trained networks over their width, and how exactly symmetric layers hold free ones."""
    config: SymmetryConfig = run.config
    settings = config.universal
    if not settings.widths:
        return {"metrics": []}
    error = np.zeros((len(KINDS), len(settings.widths), settings.seeds))
    for i, kind in enumerate(KINDS):
        for j, width in enumerate(settings.widths):
            run.progress.update("universal", (i + j / len(settings.widths)) / len(KINDS), network=kind, width=width)
            error[i, j] = errors(kind, width, settings, config.seed)
    table = xr.Dataset(
        {"error": (("kind", "width", "seed"), error, {"units": "1"})},
        {"kind": list(KINDS), "width": np.array(settings.widths, np.float64), "seed": np.arange(settings.seeds)},
    )
    write_fields(run.folder.fields("universal"), table)
    return {"metrics": _rows(config, error)}


def target(x: np.ndarray) -> np.ndarray:
    """Sin π(x₁ - x₂), (n, 1): it changes sign when the inputs are exchanged."""
    return np.sin(np.pi * (x[:, :1] - x[:, 1:]))


def errors(kind: str, width: int, settings: UniversalConfig, seed: int) -> np.ndarray:
    """(seed,) root mean square error over that of zero, at points that were not trained on."""
    generator = np.random.default_rng(seed)
    x, x_test = (generator.uniform(-1, 1, (count, INPUTS)).astype(np.float32) for count in (settings.samples, 2048))
    keys = [jax.random.fold_in(jax.random.key(seed), number) for number in range(settings.seeds)]
    batch = min(BATCH, len(x))
    recipe = RecipeConfig(
        epochs=max(1, settings.steps * batch // len(x)), batch_size=batch, learning_rate=settings.learning_rate, chunk=1000
    )
    make = eqx.filter_jit(partial(shallow, kind, width))
    models = [make(key) for key in keys]
    trained, _ = fit_many(models, mean_squared_error, (x, target(x).astype(np.float32)), recipe, keys)
    truth = target(x_test)
    rests = [np.asarray(model(jnp.asarray(x_test)), np.float64) - truth for model in trained]
    return np.array([np.sqrt(np.mean(rest**2) / np.mean(truth**2)) for rest in rests])


def shallow(kind: str, width: int, key: PRNGKeyArray) -> Shallow:
    """A network with `width` hidden units that have the inputs as `kind` says."""
    keys = jax.random.split(key)
    shapes = {"symmetric": (width + INPUTS, width + INPUTS), "block-symmetric": (width, 2 * INPUTS)}
    rows, columns = shapes.get(kind, (width, 2 * INPUTS if kind == "chunked, padded" else INPUTS))
    scale = 1.5 * (columns / INPUTS) ** 0.5  # zeros among the inputs carry nothing
    free = scale * jax.random.normal(keys[0], (rows, columns)) * (2.0 if "chunked" in kind else 1.0) ** 0.5
    makers: dict[str, Callable[[Array], AbstractWeight]] = {
        "free": Dense, "symmetric": PackedSymmetric.from_dense, "block-symmetric": block_symmetric().matrix or Dense,
    }  # fmt: skip
    weight = makers.get(kind, lambda matrix: Chunked.from_dense(matrix, 1, 2))(free)
    bias = jax.random.uniform(jax.random.fold_in(key, 2), (rows,), minval=-2.0, maxval=2.0)
    return Shallow(Linear(weight, bias), Linear.init(keys[1], 1, rows))


def embedded(kind: str, seed: int) -> float:
    """The largest difference between a free layer and the symmetric one that holds it, over the largest output."""
    generator = np.random.default_rng(seed)
    free = generator.normal(size=(16, 8)).astype(np.float32)
    x = jnp.asarray(generator.normal(size=(64, 8)), jnp.float32)
    wanted = np.asarray(x) @ free.T
    if kind == "symmetric":
        matrix = np.block([[np.zeros((8, 8)), free.T], [free, np.zeros((16, 16))]])
        found = PackedSymmetric.from_dense(jnp.asarray(matrix, jnp.float32)).apply(jnp.pad(x, ((0, 0), (0, 16))))[:, 8:]
    else:
        zero = np.zeros_like(free)
        matrix = jnp.asarray(np.block([[free, zero], [zero, free]]), jnp.float32)
        found = GroupWeight.from_dense(matrix, Walsh(2)).apply(jnp.pad(x, ((0, 0), (0, 8))))[:, :16]
    return float(np.abs(np.asarray(found) - wanted).max() / np.abs(wanted).max())


def _rows(config: SymmetryConfig, error: np.ndarray) -> list[Metric]:
    judged, width = config.judged, config.universal.widths[-1]
    source = "sin pi(x1 - x2) on the square; root mean square error over that of zero; worst seed"
    bounds: dict[str, float] = dict.fromkeys(("symmetric", "block-symmetric", "chunked, padded"), 0.2)  # 96 % of the variance
    rows = [
        Metric(f"universal, {kind}, {width} units: error", float(values[-1].max()), "1",
               bounds.get(kind) if judged else None, "lower", source=source)
        for kind, values in zip(KINDS, error, strict=True) if kind != "chunked"
    ]  # fmt: skip
    chunked = float(error[KINDS.index("chunked"), -1].min())
    rows.append(
        Metric(
            f"universal, chunked without padding, {width} units: error, best seed", chunked, "1", 0.95 if judged else None,
            "higher", source="sees x1 + x2 only, given which the function has mean zero: no network does better than 1",
        )
    )  # fmt: skip
    rows += [
        Metric(f"universal, a free layer held by a {kind} one: relative difference", embedded(kind, config.seed), "1", 1e-5,
               "lower", source="float32 rounding")
        for kind in ("symmetric", "block-symmetric")
    ]  # fmt: skip
    return rows
