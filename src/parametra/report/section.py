"""What a page is made of: sections, each a title, a sentence and parts. The template knows these classes and nothing else."""

from dataclasses import dataclass
from typing import ClassVar, Literal

SENTENCE = 28  # a cell with more characters is a sentence


@dataclass(frozen=True)
class Figure:
    """One vector drawing.

    Attributes:
        svg: the drawing, ready to stand in the page.
        caption: what it shows, in words, units included.
    """

    svg: str
    caption: str = ""


@dataclass(frozen=True)
class Panels:
    """Figures side by side, below one another on a narrow screen.

    Attributes:
        figures: the figures.
        columns: how many stand in one row on a wide screen.
        title: a line above them.
    """

    kind: ClassVar[str] = "panels"
    figures: tuple[Figure, ...]
    columns: int = 3
    title: str = ""


@dataclass(frozen=True)
class Table:
    """A plain table; cells are text, the first column names the row."""

    kind: ClassVar[str] = "table"
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""

    @property
    def styles(self) -> tuple[str, ...]:
        """Of each column: figures stand to the right on one line, the first column and sentences to the left, and wrap."""
        columns = zip(*self.rows, strict=True) if self.rows else ((),) * len(self.head)
        return tuple(
            "name" if number == 0 else "text" if max(map(len, cells), default=0) > SENTENCE else "num"
            for number, cells in enumerate(columns)
        )


@dataclass(frozen=True)
class Note:
    """A paragraph; `missing` says what is not there yet, `warning` what the reader must know."""

    kind: ClassVar[str] = "note"
    text: str
    tone: Literal["plain", "missing", "warning"] = "plain"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """Preformatted text behind a line that opens it."""

    kind: ClassVar[str] = "code"
    summary: str
    text: str


@dataclass(frozen=True)
class Frames:
    """One run's frames of a map.

    Attributes:
        name: the run.
        labels: a label for each frame.
        pixels: base64 of frames x rows x columns bytes, north first.
    """

    name: str
    labels: tuple[str, ...]
    pixels: str


@dataclass(frozen=True)
class Slider:
    """Maps of several runs under one slider.

    Attributes:
        runs: the runs, side by side; all have the same number of frames.
        rows: rows of a frame.
        columns: columns of a frame.
        palette: base64 of 256 x 3 bytes.
        low: value of byte 0, with unit.
        high: value of byte 255, with unit.
        caption: what the maps show.
    """

    kind: ClassVar[str] = "slider"
    runs: tuple[Frames, ...]
    rows: int
    columns: int
    palette: str
    low: str
    high: str
    caption: str

    @property
    def count(self) -> int:
        """Number of frames."""
        return len(self.runs[0].labels)


Part = Panels | Table | Note | Bullets | Code | Slider


@dataclass(frozen=True)
class Section:
    """A headline of the page with what belongs to it.

    Attributes:
        anchor: name in the address of the page.
        title: headline.
        lead: one or two sentences: the question and how to read the answer.
        parts: figures, tables, notes in order.
    """

    anchor: str
    title: str
    lead: str
    parts: tuple[Part, ...]


def missing(anchor: str, title: str, lead: str, reason: str) -> Section:
    """A section whose data is not there yet, saying so and why."""
    return Section(anchor, title, lead, (Note(reason, "missing"),))
