"""climate/smoke as a user runs it, from the command line, and one finished run of it."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
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

    def kill(self, path: Path, *options: str, times: int, seed: int = 5, begin: Path | None = None) -> list[Path]:
        """kill -9 `times` times, each at a moment drawn from the start of the process on.

        A run that is done before then is followed by one in a new folder, PATH-1, PATH-2 and so on, a copy of `begin` where that
        is given. All of them, each either done or killed.
        """
        chance, kills, folders = random.Random(seed), 0, [path]
        while kills < times:
            if begin is not None and not folders[-1].exists():
                shutil.copytree(begin, folders[-1])
            quiet = subprocess.DEVNULL
            process = subprocess.Popen([*COMMAND, str(folders[-1]), *options], stdout=quiet, stderr=quiet, env=self.environment)
            with suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0.0, 14.0))
            process.kill()
            ended = process.wait()
            assert ended in (0, -signal.SIGKILL)
            if ended:
                kills += 1
            else:
                folders.append(path.with_name(f"{path.name}-{len(folders)}"))
        return folders

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
