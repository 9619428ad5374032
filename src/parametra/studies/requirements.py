"""Whether this machine is big enough for a preset, asked before anything is written."""

import os
from contextlib import suppress
from pathlib import Path

from parametra.core import machine
from parametra.core.errors import UsageError
from parametra.studies.base import About

SMALLER = "Remedy: a smaller preset (see `parametra list`), or a larger machine."


def check(about: About, out: Path) -> None:
    """UsageError, with what was found and what is needed, if memory, disk or GPU do not suffice."""
    # A machine sold with 8 GB shows a little less: 5 percent are forgiven.
    if machine.total_memory() < 0.95 * about.memory_gb:
        raise UsageError(
            f"This preset needs {about.memory_gb:g} GB of memory, the machine has {machine.total_memory():.1f}. {SMALLER}"
        )
    if about.disk_gb > machine.free_disk(out) + _size(out):
        raise UsageError(
            f"This preset needs {about.disk_gb:g} GB of disk, {machine.free_disk(out):.1f} are free for {out}. Remedy: free some "
            "space, or --out on another disk."
        )
    if about.gpu_memory_gb > 0:
        _check_gpu(about.gpu_memory_gb)


def _size(path: Path) -> float:
    """What the folder already holds [GB]: a resumed run needs only the rest. What vanishes meanwhile counts nothing."""
    size = 0
    for folder, _, files in os.walk(path):
        for file in files:
            with suppress(OSError):
                size += Path(folder, file).stat().st_size
    return size / machine.GIGABYTE


def _check_gpu(needed: float) -> None:
    import jax

    gpus = [device for device in jax.devices() if device.platform == "gpu"]
    if not gpus:
        raise UsageError(
            f"This preset needs a GPU with {needed:g} GB, jax sees none. Likely cause: no GPU, or jax without CUDA (remedy: "
            f'pip install "parametra[cuda]"). {SMALLER}'
        )
    memory = float((gpus[0].memory_stats() or {}).get("bytes_limit", float("inf"))) / machine.GIGABYTE
    if memory < 0.7 * needed:  # jax takes three quarters of the card's memory for itself
        raise UsageError(f"This preset needs a GPU with {needed:g} GB, jax may use {memory:.1f} of this one. {SMALLER}")
