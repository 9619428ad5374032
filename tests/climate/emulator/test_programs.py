"""Emulators of every kind as programs of other languages."""

import shutil
import subprocess

import jax.numpy as jnp
import numpy as np
import pytest

from parametra.climate.emulator import Inputs, train
from parametra.store.exports import export_stablehlo, load_stablehlo
from parametra.store.fortran import export_fortran

from .conftest import SIGMA_HALF, TIME_STEP


@pytest.fixture(scope="module", params=[("plain", "plain"), ("invariant", "scaled")], ids=["plain", "invariant"])
def program(request, dataset, config):
    inputs, outputs = request.param
    emulator, _ = train(dataset, config.model_copy(update={"inputs": inputs, "outputs": outputs}), SIGMA_HALF, TIME_STEP, seed=1)
    x = dataset.inputs[:8].copy()
    x[4:, [6, 7]] *= np.array([1e5, 1e3], np.float32)  # the vapour of the top layers, beyond saturation: the cold trap works
    assert np.any(np.asarray(emulator.limits.trapped(Inputs.from_vector(jnp.asarray(x)), SIGMA_HALF, TIME_STEP)) < 0)
    return emulator.vector, jnp.asarray(x), dataset.targets.shape[1]


def assert_alike(found, wanted, tolerance):
    """Each output to `tolerance` of its largest value; some layers have no moistening."""
    size = np.abs(wanted).max(axis=0) + 1e-30
    np.testing.assert_allclose(found / size, wanted / size, rtol=0.0, atol=tolerance)


def test_stablehlo_is_the_emulator(program, tmp_path):
    function, x, outputs = program
    export_stablehlo(function, x.shape[1], outputs, tmp_path / "net.stablehlo")
    y = np.asarray(function(x))
    assert_alike(load_stablehlo(tmp_path / "net.stablehlo")(x), y, 3e-5)


def test_fortran_is_the_emulator(program, tmp_path):
    function, x, outputs = program
    export_fortran(function, x.shape[1], outputs, tmp_path / "net.f90")
    assert "subroutine apply" in (tmp_path / "net.f90").read_text()
    if shutil.which("gfortran") is None:
        pytest.skip("written, but not compiled: that needs gfortran")
    (tmp_path / "main.f90").write_text(
        f"program main\n use net\n real :: x(n_inputs), y(n_outputs)\n integer :: i\n do i = 1, {len(x)}\n read(*, *) x\n"
        ' call apply(x, y)\n write(*, "(*(es16.8))") y\n end do\nend program main\n'
    )
    compiler = ["gfortran", "-std=f2008", "-Wall", "-Werror", "-Wno-unused", "net.f90", "main.f90", "-o", "main"]
    subprocess.run(compiler, check=True, cwd=tmp_path)
    text = "\n".join(" ".join(repr(float(value)) for value in row) for row in np.asarray(x))
    result = subprocess.run([tmp_path / "main"], input=text, capture_output=True, text=True, check=True)
    found, y = np.array(result.stdout.split(), float).reshape(len(x), outputs), np.asarray(function(x))
    assert_alike(found, y, 1e-4)  # sums in another order, float32
