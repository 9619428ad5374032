"""A value that no tree looks into."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Held:
    """Holds a package or a scheme whole: as a tree its arrays would be leaves. It takes part in compilation by identity.

    Attributes:
        value: what is held.
    """

    value: Any
