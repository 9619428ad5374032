"""Errors that a user can act on: one sentence each with what was found, the likely cause and the remedy."""

from pathlib import Path


class ParametraError(Exception):
    """Base of every error that the command line shows as one sentence, without a traceback.

    Attributes:
        exit_code: what `parametra` exits with: 2 for usage and configuration, 3 for a physical stop.
    """

    exit_code = 2


class UsageError(ParametraError, ValueError):
    """Something the user gave cannot be used: a name, a key, a value, a shape."""


class DataError(ParametraError):
    """A file or folder is absent, truncated, or holds something else than expected."""


class EndedError(DataError):
    """A record ends before the stretch that is asked of it."""


class PhysicalStopError(ParametraError):
    """A simulation left what is physical.

    Attributes:
        name: the variable, by its field name.
        day: simulated day of the first bad value seen.
        column: index of the column.
        level: index of the level, 0 at the top; None for a surface variable.
        value: the offending value.
        checkpoint: the last healthy checkpoint, None when there is none.
    """

    exit_code = 3

    def __init__(
        self, name: str, day: float, column: int, level: int | None, value: float, limits: tuple[float, float],
        checkpoint: Path | None = None,
    ):  # fmt: skip
        self.name, self.day, self.column, self.level, self.value, self.limits = name, day, column, level, value, limits
        self.checkpoint = checkpoint
        where = f"column {column}" + ("" if level is None else f", level {level}")
        last = f" The last healthy checkpoint is {checkpoint}." if checkpoint else ""
        super().__init__(
            f"{name} left [{limits[0]:g}, {limits[1]:g}] with {value:g} in {where} at day {day:.2f}. Likely cause: a closure "
            f"that drifted off its training data, or too long a time step. Remedy: a shorter step or another network.{last}"
        )
