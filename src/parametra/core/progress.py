"""One line of progress with physics in it: a bar on a terminal, plain lines at most every ten seconds elsewhere."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

Value = float | int | str | tuple[float | int | str, str]


class Progress:
    """Shows how far a stage is and what its world looks like; use as a context manager.

    Args:
        stream: text stream to write to; standard error by default, so that standard output stays free for results.
        interval: least time between two plain lines of one stage [s].
        clock: monotonic seconds, for tests.

    Attributes:
        on_update: called at every update; the runner keeps its books there.
    """

    def __init__(self, stream: Any = None, interval: float | int = 10.0, clock: Callable[[], float] = time.monotonic):
        self.stream = sys.stderr if stream is None else stream
        self.on_update: Callable[[], None] | None = None
        self.interval, self.clock = interval, clock
        self.stage, self.started, self.started_at, self.shown = "", 0.0, 0.0, -float("inf")
        self.bar: Any = None

    def __enter__(self) -> "Progress":
        if self.stream.isatty():
            from rich.console import Console
            from rich.live import Live

            self.bar = Live(console=Console(file=self.stream), refresh_per_second=4, transient=True)
            self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def update(self, stage: str, fraction: float | int, **values: Value) -> None:
        """Say that `stage` is done to `fraction` (0 to 1), with `values` such as day=3.5 or wind=(54.0, "m/s")."""
        if self.on_update is not None:
            self.on_update()
        now, first = self.clock(), stage != self.stage
        if first:
            self.stage, self.started, self.started_at = stage, now, fraction
        line = self.line(stage, fraction, now - self.started, values)
        if self.bar is not None:
            self.bar.update(line)
        elif first or fraction >= 1 or now - self.shown >= self.interval:
            self.stream.write(line + "\n")
            self.stream.flush()
            self.shown = now

    def say(self, text: str) -> None:
        """A line that stays: the start or the end of a stage."""
        if self.bar is not None:
            self.bar.console.print(text, highlight=False, markup=False)
        else:
            self.stream.write(text + "\n")
            self.stream.flush()

    def line(self, stage: str, fraction: float | int, seconds: float | int, values: dict[str, Value]) -> str:
        """The text of one update; the time left is linear from what this process has done of the stage."""
        done = fraction - self.started_at
        left = f"{_clock_text(seconds * (1 - fraction) / done)} left" if done > 0 and fraction < 1 else _clock_text(seconds)
        parts = [f"{stage:<10} {100 * fraction:3.0f} %", left, *(_value_text(name, value) for name, value in values.items())]
        return "  ".join(parts)


def _value_text(name: str, value: Value) -> str:
    number, unit = value if isinstance(value, tuple) else (value, "")
    text = number if isinstance(number, str) else f"{number:.4g}"
    return f"{name.replace('_', ' ')} {text}{' ' + unit if unit else ''}"


def _clock_text(seconds: float | int) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}" if whole >= 3600 else f"{whole // 60}:{whole % 60:02d}"
