"""One colour per run, the same in every figure and safe for colour-blind readers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# Okabe & Ito (2008): told apart under all three common colour deficiencies
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = "#1b1b1f", "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7"
GREY = "#8a8d93"
NETWORKS = (BLUE, VERMILION, GREEN, SKY, "#7a4fb5", "#a8641a", "#2b2f77", "#b8b12c")
FIXED = {"linear": ORANGE, "time_mean": PURPLE, "time mean": PURPLE, "zonal climatology": GREY, "persistence": GREY}


@dataclass(frozen=True)
class Palette:
    """Colours and line styles by name of the run or model."""

    colours: dict[str, str]

    @classmethod
    def of(cls, names: Iterable[str]) -> "Palette":
        """Colours for these names: truth black, known baselines their own, networks in order of appearance."""
        colours: dict[str, str] = {}
        free = iter(NETWORKS * 8)
        for name in dict.fromkeys(names):
            colours[name] = BLACK if name.startswith("truth") else FIXED.get(name) or next(free)
        return cls(colours)

    def colour(self, name: str) -> str:
        """The colour of a run; grey for one that the folder did not announce."""
        return self.colours.get(name, BLACK if name.startswith("truth") else FIXED.get(name, GREY))

    def style(self, name: str) -> dict[str, Any]:
        """Line properties: truth and networks solid, baselines dashed."""
        baseline = name in FIXED
        width = 2.2 if name == "truth" else 1.3 if baseline else 1.7
        return {"color": self.colour(name), "linewidth": width, "linestyle": (0, (4, 2)) if baseline else "-"}


def is_network(name: str) -> bool:
    """Whether a run or model is a network, that is neither the truth nor a baseline."""
    return not name.startswith("truth") and name not in FIXED


def label(name: str) -> str:
    """The name as a reader sees it."""
    return {"time_mean": "time-mean tendencies", "linear": "linear regression"}.get(name, name.replace("_", " "))
