"""One figure of a run beside the range it should be in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from parametra.core.errors import UsageError


@dataclass(frozen=True)
class Metric:
    """A figure, its unit, and what it should reach.

    Attributes:
        name: what was measured, in words that the page can show.
        value: the figure; NaN where it could not be computed, which fails any target.
        unit: UDUNITS text, "1" for a ratio.
        target: a number, (low, high), or None where nothing is asked.
        better: "lower" passes at or below the target, "higher" at or above, "inside" within (low, high).
        kind: "physics", "skill" or "cost"; cost may differ between two runs, the others may not.
        source: where the target or the method comes from.
    """

    name: str
    value: float | int
    unit: str
    target: float | int | Sequence[float | int] | None = None
    better: Literal["lower", "higher", "inside"] = "lower"
    kind: Literal["physics", "skill", "cost"] = "physics"
    source: str = ""

    def __post_init__(self) -> None:
        pair = isinstance(self.target, Sequence)
        if self.target is not None and pair != (self.better == "inside"):
            raise UsageError(
                f'Metric "{self.name}": target {self.target!r} does not go with better="{self.better}". Remedy: (low, high) '
                'with "inside", one number with "lower" or "higher".'
            )

    @property
    def passed(self) -> bool | None:
        """Whether the value reaches the target; None where there is no target."""
        if self.target is None:
            return None
        if math.isnan(self.value):
            return False
        if isinstance(self.target, Sequence):
            low, high = self.target
            return bool(low <= self.value <= high)
        return bool(self.value <= self.target if self.better == "lower" else self.value >= self.target)

    def to_dict(self) -> dict[str, Any]:
        """As metrics.json holds it: a value that is not finite becomes null."""
        target = [float(bound) for bound in self.target] if isinstance(self.target, Sequence) else self.target
        return {
            "name": self.name,
            "value": float(self.value) if math.isfinite(self.value) else None,
            "unit": self.unit,
            "target": target if isinstance(target, list | None) else float(target),
            "better": self.better,
            "passed": self.passed,
            "kind": self.kind,
            "source": self.source,
        }

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> "Metric":
        """The inverse of `to_dict`; null becomes NaN."""
        value = math.nan if row["value"] is None else row["value"]
        return cls(row["name"], value, row["unit"], row["target"], row["better"], row["kind"], row["source"])
