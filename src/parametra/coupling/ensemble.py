"""Several runs at once, in threads: a run that stops for a physical reason is an outcome, not an error."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from parametra.core.errors import PhysicalStopError

T = TypeVar("T")


def run_many(jobs: Mapping[str, Callable[[], T]], threads: int = 2) -> dict[str, T | PhysicalStopError]:
    """The outcome of every job by name, in the order given.

    Compiled programs let go of Python's lock, so two coupled runs use two cores. Networks of equal structure share one program.

    Raises:
        Exception: whatever a job raises besides PhysicalStopError.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="run") as pool:
        started = {name: pool.submit(_outcome, job) for name, job in jobs.items()}
        try:
            for future in as_completed(started.values()):
                future.result()
        except BaseException:  # Ctrl-C too: what has not begun must not begin
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return {name: future.result() for name, future in started.items()}


def _outcome(job: Callable[[], T]) -> T | PhysicalStopError:
    try:
        return job()
    except PhysicalStopError as stop:
        return stop
