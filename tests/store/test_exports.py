"""Exports: another program computes what the network computes."""

import shutil
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parametra.core.errors import UsageError
from parametra.store.exports import export_onnx, export_stablehlo, load_stablehlo
from parametra.store.fortran import export_fortran, module_name

INPUTS, OUTPUTS = 7, 6


def network():
    """Everything an emulator does: scaling, several layers, a gather, a reduction, a limit, a correction by level."""
    keys = jax.random.split(jax.random.key(3), 3)
    matrix = jax.random.normal(keys[2], (OUTPUTS, OUTPUTS))
    first, last = eqx.nn.Linear(INPUTS, 16, key=keys[0]), eqx.nn.Linear(16, OUTPUTS, key=keys[1])
    mean, mass = jnp.linspace(-1, 1, INPUTS), jnp.array([0.2, 0.3, 0.5])

    def column(x):
        hidden = jax.nn.leaky_relu(first((x - mean) / 0.7), 0.3)
        y = last(jnp.tanh(hidden) + jax.nn.sigmoid(hidden))
        heating, moistening = y[:3], y[3:]
        heating = heating - jnp.sum(mass * heating) + jnp.cumsum(moistening)[::-1] * x[jnp.array([2, 0, 5])]
        return jnp.concatenate([heating, jnp.maximum(moistening, -0.1)]).at[1].set(heating[0] ** 2)

    def batched(x):
        return jax.vmap(column)(x) @ matrix + jnp.where(x[:, :1] > 0, 0.5, 0.0)

    return batched


def batch(size):
    return np.random.default_rng(1).normal(size=(size, INPUTS)).astype(np.float32)


def test_stablehlo_gives_the_same_numbers_in_another_process_at_any_batch_size(tmp_path):
    export_stablehlo(network(), INPUTS, OUTPUTS, tmp_path / "n.stablehlo")
    np.save(tmp_path / "x.npy", batch(33))
    code = (
        "import sys, pathlib, numpy as np; from jax import export;"
        "call = export.deserialize(bytearray(pathlib.Path('n.stablehlo').read_bytes())).call;"
        "x = np.load('x.npy'); np.save('y.npy', call(x)); assert call(x[:1]).shape == (1, 6);"
        "assert 'parametra' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), jax.jit(network())(batch(33)), rtol=1e-6, atol=1e-6)


def test_stablehlo_keeps_gradients(tmp_path):
    export_stablehlo(network(), INPUTS, OUTPUTS, tmp_path / "n.stablehlo")
    call = load_stablehlo(tmp_path / "n.stablehlo")
    ours, theirs = (jax.grad(lambda x, f=f: jnp.sum(f(x) ** 2))(batch(4)) for f in (network(), call))
    np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(shutil.which("gfortran") is None, reason="needs gfortran")
def test_fortran_gives_the_same_numbers(tmp_path):
    export_fortran(network(), INPUTS, OUTPUTS, tmp_path / "net.f90")
    x = batch(5)
    (tmp_path / "main.f90").write_text(
        "program main\n use net\n real :: x(n_inputs), y(n_outputs)\n integer :: i\n do i = 1, 5\n read(*, *) x\n"
        ' call apply(x, y)\n write(*, "(*(es16.8))") y\n end do\nend program main\n'
    )
    subprocess.run(
        ["gfortran", "-std=f2008", "-Wall", "-Werror", "-Wno-unused", "net.f90", "main.f90", "-o", "main"],
        check=True,
        cwd=tmp_path,
    )
    text = "\n".join(" ".join(repr(float(value)) for value in row) for row in x)
    result = subprocess.run([tmp_path / "main"], input=text, capture_output=True, text=True, check=True)
    y = np.array(result.stdout.split(), float).reshape(5, OUTPUTS)
    np.testing.assert_allclose(y, network()(x), rtol=2e-5, atol=1e-6)  # sums in another order, float32


def test_what_has_no_fortran_form_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"No Fortran form for sort.*Remedy"):
        export_fortran(lambda x: jnp.sort(x, axis=1), INPUTS, INPUTS, tmp_path / "net.f90")
    with pytest.raises(UsageError, match="not finite"):
        export_fortran(lambda x: x * jnp.array([jnp.nan, 1, 1, 1, 1, 1, 1]), INPUTS, INPUTS, tmp_path / "net.f90")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("exporter", [export_stablehlo, export_fortran])
def test_a_header_that_promises_other_outputs_is_refused(tmp_path, exporter):
    with pytest.raises(UsageError, match="Remedy: a header that matches"):
        exporter(network(), INPUTS, OUTPUTS + 1, tmp_path / "n")


def test_onnx_matches_or_names_its_extra(tmp_path):
    path = tmp_path / "n.onnx"
    try:
        import jax2onnx  # noqa: F401  # pyright: ignore[reportMissingImports]
        import onnxruntime  # pyright: ignore[reportMissingImports]
    except ImportError:
        with pytest.raises(UsageError, match=r'pip install "parametra\[onnx\]"'):
            export_onnx(network(), INPUTS, OUTPUTS, path)
        return
    export_onnx(network(), INPUTS, OUTPUTS, path)
    session = onnxruntime.InferenceSession(str(path))
    for size in (1, 33):
        (y,) = session.run(None, {session.get_inputs()[0].name: batch(size)})
        np.testing.assert_allclose(y, network()(batch(size)), rtol=1e-5, atol=1e-5)


def test_module_names_are_fortran_names():
    assert module_name("student-1.best") == "student_1_best"
    assert module_name("5x128") == "network_5x128"
