"""climate/smoke as a user runs it, from the command line, and one finished run of it."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [str(Path(sys.executable).with_name("parametra")), "run", "climate/smoke", "--out"]


class Smoke:
    """Runs climate/smoke in folders that share their compiled programs: a restart then costs its imports only."""

    def __init__(self, compiled: Path):
        self.environment = os.environ | {
            "JAX_COMPILATION_CACHE_DIR": str(compiled),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }

    def run(self, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMAND, str(path), *options], capture_output=True, text=True, check=False, env=self.environment)

    def kill(self, path: Path, *options: str, times: int, seed: int = 5) -> int:
        """kill -9 some seconds after each of so many starts; how many kills it took or, if it was done before, took place."""
        chance, kills = random.Random(seed), 0
        while kills < times:
            quiet = subprocess.DEVNULL
            process = subprocess.Popen([*COMMAND, str(path), *options], stdout=quiet, stderr=quiet, env=self.environment)
            deadline = time.monotonic() + chance.uniform(4.0, 14.0)
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
            elif process.returncode == 0:
                break
            process.wait()
            assert process.returncode in (0, -signal.SIGKILL)
        return kills

    @staticmethod
    def figures(path: Path) -> dict[str, float]:
        rows = json.loads((path / "metrics.json").read_text())["metrics"]
        return {row["name"]: row["value"] for row in rows if row["kind"] != "cost"}


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Smoke:
    return Smoke(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="session")
def road(smoke, tmp_path_factory) -> Path:
    """One finished run for all workers: the first that asks makes it, the others wait. Nothing may be changed in it."""
    base = tmp_path_factory.getbasetemp()
    path = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "road"
    made, failed = path.with_name("road.made"), path.with_name("road.failed")
    try:
        path.with_name("road.begun").touch(exist_ok=False)
    except FileExistsError:
        deadline = time.monotonic() + 1800.0
        while not made.exists():
            assert not failed.exists(), "another worker could not make the run"
            assert time.monotonic() < deadline, "another worker has not made the run in half an hour"
            time.sleep(0.5)
        return path
    done = smoke.run(path)
    (made if done.returncode == 0 else failed).touch()
    assert done.returncode == 0, done.stderr[-2000:]
    return path
