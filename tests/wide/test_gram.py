"""Gram matrices: the tiles are the kernel, a cut store is resumed and never read as whole, and solvers certify what they give."""

import json
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from parametra.core.errors import DataError, UsageError
from parametra.networks import ntk
from parametra.store.fields import write_fields
from parametra.wide import StoredGram, cholesky, collapse, conjugate_gradients, gram, kernel, stream_gram
from parametra.wide.kernel import check_inputs

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(50, 20)), jnp.float32)
Y = RNG.normal(size=(50, 3))
RELU = eqx.filter_eval_shape(lambda key: ntk.dense_network(key, 20, 1, (8, 8, 8)), jax.random.key(0))
ERF = eqx.filter_eval_shape(lambda key: ntk.dense_network(key, 20, 1, (8, 8), ntk.Erf(), b_std=0.1), jax.random.key(0))


@pytest.fixture(scope="module")
def exact():
    with jax.enable_x64(True):
        found = kernel(RELU)(jnp.asarray(np.asarray(X), jnp.float64))
        return {"nngp": np.asarray(found.nngp), "ntk": np.asarray(found.ntk)}


@pytest.fixture(scope="module")
def packed():
    return gram(RELU, X, tile=16)


@pytest.mark.parametrize("which", ["nngp", "ntk"])
def test_packed_and_collapsed_tiles_are_the_kernel(exact, packed, which):
    found, true = getattr(packed, which), exact[which]
    assert_allclose(found.dense(), true, rtol=0, atol=1e-6 * true.max())
    assert_allclose(found.diagonal(), np.diag(true), rtol=5e-7)  # a few roundings of float32, no loss at the diagonal
    assert_allclose(found @ jnp.asarray(Y, jnp.float32), true @ Y, rtol=0, atol=2e-5 * np.abs(true @ Y).max())
    assert_allclose(found.columns([0, 17, 49]), true[:, [0, 17, 49]], rtol=0, atol=1e-6 * true.max())
    assert found.upper_tiles.size + found.diagonal_tiles.size == 16 * 16 * 10


def test_collapse_needs_no_bias_and_states_its_error():
    assert collapse(ERF) is None
    assert collapse(eqx.filter_eval_shape(lambda key: ntk.dense_network(key, 5, 1, (8,), b_std=0.1), jax.random.key(0))) is None
    short = collapse(RELU)
    assert short is not None
    assert short.error < 5e-7
    assert short.nngp_one == pytest.approx(2.0)  # sw2 = 2 keeps the variance: K(x, x) = 2 |x|²/d, Theta = (depth + 1) K
    assert short.ntk_one == pytest.approx(8.0)


def test_a_collapsed_network_takes_its_own_inputs_only():
    with pytest.raises(UsageError, match="20 inputs meets 9 features"):
        gram(RELU, X[:, :9])
    dense = eqx.filter_eval_shape(lambda key: ntk.Dense.init(key, 20, 20), jax.random.key(0))
    for model in (ntk.Chain((ntk.Dropout(0.1), dense)), ntk.ResidualSum(dense), ntk.Chain((ntk.Dropout(0.1),))):
        assert_allclose(gram(model, X).ntk.dense(), kernel(model)(X).ntk, rtol=0, atol=1e-5)


def test_a_store_knows_functions_of_one_name_apart(tmp_path):
    def named(function):
        chain = lambda key: ntk.dense_network(key, 20, 1, (8,), ntk.Pointwise(lambda z: function(z), 4))
        return eqx.filter_eval_shape(chain, jax.random.key(0))

    stream_gram(named(jnp.tanh), X[:8], tmp_path / "gram.zarr")
    stream_gram(named(jnp.tanh), X[:8], tmp_path / "gram.zarr")
    with pytest.raises(UsageError, match="another network or data set"):
        stream_gram(named(lambda z: jnp.sin(3 * z)), X[:8], tmp_path / "gram.zarr")


def test_work_is_half_of_the_square():
    """Multiplications of the compiled program: at most 0.65 of the plain recursion's, by the compiler's own count."""

    def flops(function, *arguments):
        analysis = jax.jit(function).lower(*arguments).compile().cost_analysis()
        assert analysis is not None
        return analysis["flops"]

    blocks, tiles = 8, 8 * 9 // 2  # the counter sees the body of a loop once, so a tile is counted by itself
    tile = flops(lambda a, b: jax.tree.leaves(kernel(ERF)(a, b)), X[:7], X[7:14])
    whole = flops(lambda x: jax.tree.leaves(kernel(ERF)(x)), X)
    assert tiles * tile < 0.65 * whole * (7 * blocks / 50) ** 2
    assert gram(ERF, X, tile=7).ntk.upper_tiles.shape[0] == tiles - blocks


def test_a_stored_gram_resumes_and_is_never_read_half_written(exact, tmp_path):
    path = tmp_path / "gram.zarr"

    class StopError(Exception):
        pass

    def stop(share):
        if share > 0.5:
            raise StopError

    with pytest.raises(StopError):
        stream_gram(RELU, X, path, tile=20, on_tile=stop)
    with pytest.raises(DataError, match="holds 4 of 6 tiles.*interrupted"):
        StoredGram(path, "ntk")
    with pytest.raises(UsageError, match="another network or data set"):
        stream_gram(ERF, X, path, tile=20)
    with pytest.raises(UsageError, match="another network or data set"):
        stream_gram(RELU, X + 1, path, tile=20)
    with pytest.raises(UsageError, match="another tile"):
        stream_gram(RELU, X, path, tile=10)
    shares = []
    _, stored = stream_gram(RELU, X, path, tile=20, on_tile=shares.append)
    assert len(shares) == 2
    scale = exact["ntk"].max()
    assert_allclose(stored @ Y, exact["ntk"] @ Y, rtol=0, atol=2e-5 * np.abs(exact["ntk"] @ Y).max())
    assert_allclose(stored.columns([3, 47]), exact["ntk"][:, [3, 47]], rtol=0, atol=1e-6 * scale)
    assert_allclose(stored.load().dense(), exact["ntk"], rtol=0, atol=1e-6 * scale)
    ridge = 0.1 * float(np.trace(exact["ntk"])) / 50
    found = conjugate_gradients(stored, Y, ridge, rank=10, tolerance=1e-4)
    assert found.relative_residual <= 1e-4


def test_solvers_agree_and_certify(exact, packed):
    K = exact["ntk"]
    ridge = 1e-2 * np.trace(K) / 50
    true = np.linalg.solve(K + ridge * np.eye(50), Y)
    direct = cholesky(packed.ntk, Y, ridge, tolerance=1e-5)
    plain = conjugate_gradients(packed.ntk, Y, ridge, rank=0, tolerance=1e-5)
    helped = conjugate_gradients(packed.ntk, Y, ridge, rank=25, tolerance=1e-5)
    for solution in (direct, plain, helped):
        assert solution.converged
        assert_allclose(solution.coefficients, true, rtol=0, atol=1e-3 * np.abs(true).max())
    assert direct.iterations == 0
    assert 0 < helped.iterations < plain.iterations


def test_what_cannot_be_solved_is_said(packed):
    double = np.ones((4, 4), np.float32)
    with pytest.raises(UsageError, match="singular to rounding.*duplicate rows"):
        cholesky(double, np.ones((4, 1)), 0.0)
    with pytest.raises(UsageError, match="ridge above zero"):
        conjugate_gradients(packed.ntk, Y, 0.0)
    with pytest.raises(UsageError, match="y has shape \\(49, 3\\) for 50 samples"):
        cholesky(packed.ntk, Y[:49], 1.0)
    with pytest.raises(UsageError, match="No convergence: relative residual.*Remedy"):
        conjugate_gradients(packed.ntk, Y, 1e-6, rank=0, tolerance=1e-7, steps=3)
    assert not conjugate_gradients(packed.ntk, Y, 1e-6, rank=0, tolerance=1e-7, steps=3, throw=False).converged
    with pytest.raises(UsageError, match="at least one sample"):
        gram(RELU, X[:0])
    with pytest.raises(UsageError, match="tile needs at least one row"):
        gram(RELU, X, tile=0)


def test_solvers_take_lists_and_whole_numbers_and_refuse_what_is_no_kernel(packed):
    whole, y = [[4, 1], [1, 3]], [[1.0], [2.5]]
    for solve in (cholesky, conjugate_gradients):
        assert_allclose(solve(whole, y, 0.5).coefficients, np.linalg.solve([[4.5, 1], [1, 3.5]], y), rtol=1e-3)
        for bad, words in (
            (np.eye(2, dtype=np.float16), "float16"), ([[1.0, 2.0], [0.0, 1.0]], "not symmetric.*Remedy"),
            ([[np.nan, 0.0], [0.0, 1.0]], "NaN"), ([1.0, 2.0], "a square one"),
        ):  # fmt: skip
            with pytest.raises(UsageError, match=words):
                solve(bad, y, 0.5)
        with pytest.raises(UsageError, match="NaN"):
            solve(eqx.tree_at(lambda g: g.diagonal_tiles, packed.ntk, packed.ntk.diagonal_tiles * jnp.nan), Y, 0.5)
    with pytest.raises(UsageError, match="not positive semi-definite.*Remedy"):
        conjugate_gradients(np.diag([1.0, -1.0]), y, 0.5)


def test_products_and_columns_that_do_not_fit_are_refused(packed, tmp_path):
    _, stored = stream_gram(RELU, X, tmp_path / "gram.zarr", tile=25)
    for matrix in (packed.ntk, stored):
        for call in (lambda m: m @ Y[:49], lambda m: m.times(Y[:5]), lambda m: m @ np.ones(49)):
            with pytest.raises(UsageError, match="needs \\(50,\\) or \\(50, k\\)"):
                call(matrix)
        for wrong in ([50], [-1], np.asarray([0.5])):
            with pytest.raises(UsageError, match="from 0 to 49"):
                matrix.columns(wrong)
    write_fields(tmp_path / "other.zarr", xr.Dataset({"wind": ("tile", np.ones(3), {"units": "m/s"})}))
    with pytest.raises(DataError, match="is no Gram matrix.*Remedy"):
        StoredGram(tmp_path / "other.zarr", "ntk")
    with pytest.raises(UsageError, match="x1 is a list. Remedy"):
        check_inputs([[1.0] * 20], None)


SHARDED = """
import json, sys
import jax
jax.config.update("jax_num_cpu_devices", 2)
import equinox as eqx, jax.numpy as jnp, numpy as np
from parametra.networks import ntk
from parametra.wide import gram
model = eqx.filter_eval_shape(lambda key: ntk.dense_network(key, 20, 1, (8, 8, 8)), jax.random.key(0))
x = jnp.asarray(np.random.default_rng(0).normal(size=(50, 20)), jnp.float32)
mesh = jax.make_mesh((2,), ("tile",), axis_types=(jax.sharding.AxisType.Auto,))
one, two = gram(model, x, tile=16), gram(model, x, tile=16, mesh=mesh)
print(json.dumps([len(jax.devices()), float(jnp.abs(one.ntk.dense() - two.ntk.dense()).max())]))
"""


def test_two_devices_give_the_same_matrix():
    done = subprocess.run([sys.executable, "-c", SHARDED], capture_output=True, text=True, check=True)
    devices, difference = json.loads(done.stdout)
    assert devices == 2
    assert difference < 1e-5


def test_conjugate_gradients_bear_a_kernel_whose_ridge_float32_loses():
    """A smooth kernel with one eigenvalue 10^6 times the ridge: in float32 the same iteration diverges."""
    x = jnp.asarray(np.random.default_rng(0).uniform(0.4, 0.6, (1200, 20)), jnp.float32)
    y = np.random.default_rng(1).normal(size=(1200, 3))
    matrix = gram(RELU, x).nngp
    steps = []
    found = conjugate_gradients(matrix, y, 1e-3 * float(matrix.diagonal().mean()), rank=60, on_step=steps.append)
    exact = np.asarray(matrix.dense(), np.float64) + 1e-3 * float(matrix.diagonal().mean()) * np.eye(1200)
    assert np.linalg.eigvalsh(exact)[-1] > 1e6 * np.linalg.eigvalsh(exact)[0]
    assert np.linalg.norm(exact @ found.coefficients - y) <= 1e-4 * np.linalg.norm(y)
    assert steps == list(range(1, found.iterations + 1))
