"""What this machine has: cores, memory, disk. Linux and macOS, containers included; no jax."""

import os
import resource
import shutil
import sys
from pathlib import Path

GIGABYTE = 1e9
TABLE, CONTAINER = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


def cores() -> int:
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def total_memory() -> float:
    """Memory that this process may use [GB]: the machine's, or the container's limit where that is less."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(physical, _container_limit()) / GIGABYTE


def free_memory() -> float | None:
    """Memory that this process could still take now [GB], None where the system does not tell, as macOS.

    What the machine has left, or the container where that is less (cgroup version 2, its own limit alone). Files kept in memory
    count as free as far as they would give way.
    """
    if not TABLE.exists():
        return None
    rows = dict(line.split(":", 1) for line in TABLE.read_text().splitlines() if ":" in line)
    return min(float(rows["MemAvailable"].split()[0]) * 1024, _container_room()) / GIGABYTE


def peak_memory() -> float:
    """The most memory that this process has held at once [GB]."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / GIGABYTE


def free_disk(path: Path) -> float:
    """Free space on the disk that holds `path`, or would hold it [GB]."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free / GIGABYTE


def _container_limit() -> float:
    limit = CONTAINER / "memory.max"
    text = limit.read_text().strip() if limit.exists() else "max"
    return float(text) if text.isdigit() else float("inf")


def _container_room() -> float:
    """What the container's limit leaves [bytes]."""
    used, table = CONTAINER / "memory.current", CONTAINER / "memory.stat"
    if not used.exists():
        return float("inf")
    rows = dict(line.split() for line in table.read_text().splitlines()) if table.exists() else {}
    return max(_container_limit() - float(used.read_text()) + float(rows.get("inactive_file", 0)), 0.0)
