"""What an issue report needs: versions, the machine, and a one-second check that the parts work together."""

import platform
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from parametra.core import machine
from parametra.core.errors import DataError

PACKAGES = (
    "parametra", "jax", "jaxlib", "equinox", "paramax", "optax", "dinosaur", "numpy", "xarray", "zarr", "safetensors",
    "orbax-checkpoint", "pydantic", "jax2onnx",
)  # fmt: skip


def examine() -> Iterator[str]:
    """Lines to print, one after the other as they are known.

    Raises:
        DataError: the self-check gave a wrong number.
    """
    yield f"python       {platform.python_version()} on {platform.platform()}"
    yield f"packages     {', '.join(f'{name} {_version(name)}' for name in PACKAGES)}"
    free = machine.free_memory()
    yield f"machine      {machine.cores()} cores, {machine.total_memory():.1f} GB memory" + (
        f", {free:.1f} GB free" if free else ""
    )
    yield f"disk         {machine.free_disk(Path()):.1f} GB free in the current folder"
    import jax

    for device in jax.devices():
        limit = (device.memory_stats() or {}).get("bytes_limit")
        yield f"device       {device.platform} {device.device_kind}" + (f", {limit / 1e9:.1f} GB" if limit else "")
    start = time.monotonic()
    error = _self_check()
    if not error < 1e-5:  # float32: 64 terms of order one
        raise DataError(f"The self-check is off by {error:.1e}. Likely cause: a broken installation. Remedy: install again.")
    yield f"self-check   passed in {time.monotonic() - start:.1f} s (relative error {error:.0e})"


def _self_check() -> float:
    """A matrix product by jax, written to disk and read back, against numpy in float64: the largest relative error."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from parametra.store.networks import load_network, save_network

    x = np.random.default_rng(0).uniform(1, 2, (64, 64))
    product = jax.jit(jnp.matmul, static_argnames="precision")(x.astype("float32"), x.astype("float32"), precision="highest")
    with tempfile.TemporaryDirectory() as folder:
        save_network(Path(folder) / "check.safetensors", {"product": np.asarray(product)}, {"made": "by doctor"})
        arrays, _ = load_network(Path(folder) / "check.safetensors")
    return float(np.max(np.abs(arrays["product"] / (x @ x) - 1)))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
