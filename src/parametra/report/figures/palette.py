"""One colour per run, the same in every figure and safe for colour-blind readers."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle, zip_longest
from typing import Any

# Okabe & Ito (2008): told apart under all three common colour deficiencies
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = "#1b1b1f", "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7"
GREY = "#8a8d93"
MOST = 12  # networks in one figure
NETWORKS = (BLUE, VERMILION, GREEN, SKY, "#7a4fb5", "#a8641a", "#2b2f77", "#b8b12c")
FIXED = {
    "linear": ORANGE,
    "time mean": PURPLE,
    "zonal climatology": GREY,
    "persistence": GREY,
    "conventional": "#00767a",
    "network offline": SKY,
    "network layer off": PURPLE,
    "stochastic": VERMILION,
}
WORDS = {
    "time mean": "time-mean tendencies",
    "linear": "linear regression",
    "conventional": "conventional scheme",
    "network offline": "network, offline",
    "network layer off": "network, offline, conservation layer off",
    "stochastic": "network with noise",
}


@dataclass(frozen=True)
class Palette:
    """Colours, line styles and labels by name of the run or model.

    Attributes:
        colours: name -> colour.
        selected: the network that the study chose; `network` stands for it and has its colour.
    """

    colours: dict[str, str]
    selected: str | None = None

    @classmethod
    def of(cls, names: Iterable[str], selected: str | None = None) -> "Palette":
        """Colours for these names: truth black, known baselines their own, the selected network first, others in order."""
        first = [name for name in ("network", selected) if name is not None]
        colours: dict[str, str] = {}
        free = cycle(NETWORKS[1:])
        for name in dict.fromkeys(names):
            if not is_network(name):
                colours[name] = BLACK if name.startswith("truth") else FIXED[_plain(name)]
            else:
                colours[name] = NETWORKS[0] if name in first else next(free)
        return cls(colours, selected)

    def colour(self, name: str) -> str:
        """The colour of a run; grey for one that the folder did not announce."""
        return self.colours.get(name, BLACK if name.startswith("truth") else FIXED.get(_plain(name), GREY))

    def style(self, name: str) -> dict[str, Any]:
        """Line properties: truth and networks solid, the selected one in front, baselines dashed."""
        baseline = not is_network(name) and not name.startswith("truth")
        main = name in ("truth", "network", self.selected)
        width = 2.2 if main else 1.3
        return {
            "color": self.colour(name),
            "linewidth": width,
            "linestyle": (0, (4, 2)) if baseline else "-",
            "zorder": 3 if main else 2,
        }

    def label(self, name: str) -> str:
        """The name as a reader sees it, the selected network marked."""
        return f"{label(name)} (selected)" if name == self.selected else label(name)


def is_network(name: str) -> bool:
    """Whether a run or model is a network, that is neither the truth nor a baseline."""
    return not name.startswith("truth") and _plain(name) not in FIXED


def few(names: Iterable[str], selected: str | None = None) -> list[str]:
    """The names that a figure can hold: all that are no networks, and of too many networks the first of each kind, in turn.

    The selected network is always among them.
    """
    names = list(dict.fromkeys(names))
    networks = [name for name in names if is_network(name)]
    if len(networks) <= MOST:
        return names
    kinds: dict[str, list[str]] = {}
    for name in networks:
        kinds.setdefault(name.rpartition("-")[0], []).append(name)
    turns = [member for turn in zip_longest(*kinds.values()) for member in turn if member is not None]
    kept = {name for name in networks if name in ("network", selected)}
    kept |= set([name for name in turns if name not in kept][: MOST - len(kept)])
    return [name for name in names if not is_network(name) or name in kept]


def label(name: str) -> str:
    """The name as a reader sees it."""
    return WORDS.get(_plain(name), name.replace("_", " "))


def _plain(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")
