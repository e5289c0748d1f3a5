"""Tables and lines as every command prints them: whole in a pipe, and as wide as the screen on a terminal.

A pipe has no width: there one record is one line, with nothing cut and nothing broken. On a terminal that is too narrow
for a table, its texts go on below each other. Where even that is too wide, each record is a paragraph of its own; or,
of figures alone, the columns stand in several tables below each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

Cell: TypeAlias = str | Text
"""What stands in a column; a `str` is taken as it is, and nothing in it is markup."""

ENDLESS = 10_000
"""The width of what has none."""
_LEAST = 20  # columns that a text gets, if it has so many: below that nobody reads it
_LEAST_OF_LINE = 16  # the same beside a label or what hangs
GAP = 2
_WORDS = re.compile(r"\S+\s*")
_BREAKS = re.compile(r"[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        heading: What stands above it.
        right: Whether it is aligned to the right, as figures are.
        flows: Whether it is a text, whose words may go on below each other where there is little room.
    """

    heading: str = ""
    right: bool = False
    flows: bool = False


def room(console: Console) -> int | None:
    """How many columns a line may have; None where there is no end, as in a pipe or a file."""
    return console.width if console.is_terminal and console.width < ENDLESS else None


def on_terminal(console: Console) -> bool:
    """Whether somebody watches, on a screen that can be drawn anew."""
    return room(console) is not None and not console.is_dumb_terminal


def tell_table(
    console: Console,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Cell]],
    *,
    title: str = "",
    styles: Mapping[int, str] | None = None,
    keys: int = 1,
    gap: int = GAP,
    indent: int = 0,
) -> None:
    """Print a table.

    Args:
        console: Where to.
        columns: Its columns.
        rows: The cells of each row.
        title: What stands above it.
        styles: Style of a row, by its number from 0.
        keys: How many columns, from the first on, say whose row it is.
        gap: Spaces between columns.
        indent: Spaces before each line.
    """
    width = room(console)
    for line in table_lines(columns, rows, width, title=title, styles=styles, keys=keys, gap=gap, indent=indent):
        console.print(line, soft_wrap=True, highlight=False)


def table_lines(
    columns: Sequence[Column],
    rows: Iterable[Sequence[Cell]],
    width: int | None,
    *,
    title: str = "",
    styles: Mapping[int, str] | None = None,
    keys: int = 1,
    gap: int = GAP,
    indent: int = 0,
) -> list[Text]:
    """The lines of a table that may be so wide, as `tell_table` prints them; None is no bound."""
    texts = [[_text(cell, (styles or {}).get(at, "")) for cell in row] for at, row in enumerate(rows)]
    left = None if width is None else width - indent
    lines = flowing(Text(title, "italic"), width) if title else []
    lines += (_indented(line, indent) for line in _Table(columns, texts, keys, gap).lines(left))
    return lines


def tell(console: Console, text: str | Text, hang: int = 0) -> None:
    """Print a line; on a terminal its words go on below each other, further lines after `hang` spaces.

    Args:
        console: Where to.
        text: The line; a `str` is markup.
        hang: Spaces before further lines, where there is room for them.
    """
    for line in flowing(Text.from_markup(text, emoji=False) if isinstance(text, str) else text, room(console), hang):
        console.print(line, soft_wrap=True, highlight=False)


def flowing(text: Text, width: int | None, hang: int = 0) -> list[Text]:
    """The lines of a text that may be so wide, as `tell` prints them."""
    text = one_line(text)
    if width is None:
        return [text]
    hang = hang if width - hang >= _LEAST_OF_LINE else min(hang, 2)
    first, *rest = _wrapped(text, width, width - hang)
    return [first, *(_indented(line, hang) for line in rest)]


def one_line(text: Text) -> Text:
    """The text with a space for each end of line in it: what others said may hold any."""
    if _BREAKS.search(text.plain) is None:
        return text
    line = Text(style=text.style)
    at = 0
    for found in _BREAKS.finditer(text.plain):
        line.append_text(text[at : found.start()]).append(" ")
        at = found.end()
    return line.append_text(text[at:])


class _Table:
    """The cells of a table, and how wide they are."""

    def __init__(self, columns: Sequence[Column], rows: list[list[Text]], keys: int, gap: int) -> None:
        self._columns = columns
        self._rows = rows
        self._keys = keys
        self._gap = gap
        self._headed = any(column.heading for column in columns)
        cells = [[Text(column.heading), *(row[at] for row in rows)] for at, column in enumerate(columns)]
        self._widths = [max(cell.cell_len for cell in column) for column in cells]
        self._least = [
            min(widest, max(_longest_word(column), min(widest, _LEAST))) if columns[at].flows else widest
            for at, (column, widest) in enumerate(zip(cells, self._widths, strict=True))
        ]

    def lines(self, width: int | None) -> Iterator[Text]:
        every = range(len(self._columns))
        if width is None or self._together(self._widths) <= width:
            yield from self._aligned(every, self._widths)
        elif self._together(self._least) <= width:
            yield from self._aligned(every, self._shrunk(width))
        elif any(column.flows for column in self._columns) or self._together(self._widest_part()) > width:
            for row in self._rows:
                yield from self._paragraph(row, width)
        else:
            for number, part in enumerate(self._parts(width)):
                yield from [Text()] if number else []
                yield from self._aligned(part, self._widths)

    def _together(self, widths: Sequence[int]) -> int:
        return sum(widths) + self._gap * (len(widths) - 1)

    def _shrunk(self, width: int) -> list[int]:
        """Widths that fit: the widest texts give first."""
        widths = list(self._widths)
        while (excess := self._together(widths) - width) > 0:
            flowing = [at for at, column in enumerate(self._columns) if column.flows and widths[at] > self._least[at]]
            widest = max(flowing, key=lambda at: widths[at])
            others = [widths[at] for at in flowing if at != widest]
            floor = max(self._least[widest], min(max(others, default=0), widths[widest] - 1))
            widths[widest] -= min(excess, max(widths[widest] - floor, 1))
        return widths

    def _widest_part(self) -> list[int]:
        """The widths of the widest table that has but one column beside those that say whose row it is."""
        return [*self._widths[: self._keys], max(self._widths[self._keys :])]

    def _parts(self, width: int) -> Iterator[list[int]]:
        """The columns that stand in one table, those that say whose row it is in each."""
        part = [*range(self._keys)]
        for at in range(self._keys, len(self._columns)):
            if len(part) > self._keys and self._together([self._widths[one] for one in (*part, at)]) > width:
                yield part
                part = [*range(self._keys)]
            part.append(at)
        yield part

    def _aligned(self, chosen: Sequence[int], widths: Sequence[int]) -> Iterator[Text]:
        if self._headed:
            yield self._line([Text(self._columns[at].heading, "bold") for at in chosen], chosen, widths)
        for row in self._rows:
            cells = [_wrapped(row[at], widths[at]) for at in chosen]
            for line in range(max(map(len, cells))):
                yield self._line([cell[line] if line < len(cell) else Text() for cell in cells], chosen, widths)

    def _line(self, cells: Sequence[Text], chosen: Sequence[int], widths: Sequence[int]) -> Text:
        line = Text()
        for place, (cell, at) in enumerate(zip(cells, chosen, strict=True)):
            spaces = " " * max(widths[at] - cell.cell_len, 0)
            line.append(" " * self._gap if place else "")
            if self._columns[at].right:
                line.append(spaces).append_text(cell)
            else:
                line.append_text(cell).append(spaces)
        line.rstrip()
        return line

    def _paragraph(self, row: list[Text], width: int) -> Iterator[Text]:
        """A record by itself: the first cell, and below it the others with their headings."""
        heading = f"{self._columns[0].heading} " if self._columns[0].heading else ""
        yield from flowing(Text.assemble((heading, "dim"), row[0]), width, 2)
        labels = [column.heading for column in self._columns[1:]]
        hang = 2 + max(map(cell_len, labels)) + (2 if any(labels) else 0)
        for label, cell in zip(labels, row[1:], strict=True):
            if cell.plain.strip():
                stem = f"  {label}{' ' * (hang - 2 - cell_len(label))}"
                yield from flowing(Text.assemble((stem, "dim"), cell), width, hang)


def _text(cell: Cell, style: str) -> Text:
    text = one_line(Text(cell) if isinstance(cell, str) else cell.copy())
    if style:
        text.stylize_before(style)
    return text


def _longest_word(cells: Iterable[Text]) -> int:
    return max((cell_len(word) for cell in cells for word in cell.plain.split()), default=0)


def _indented(line: Text, indent: int) -> Text:
    return Text(" " * indent).append_text(line) if indent and line.plain else line


def _wrapped(text: Text, first: int, further: int | None = None) -> list[Text]:
    """Lines so wide, broken between words alone: what is longer than a line runs over, and copies whole."""
    left, width, places = first, 0, []
    for found in _WORDS.finditer(text.plain):
        word = found.group()
        if width and width + cell_len(word.rstrip()) > left:
            places.append(found.start())
            left, width = first if further is None else further, 0
        elif not width:
            width = cell_len(text.plain[: found.start()])  # what stands before the first word
        width += cell_len(word)
    lines = list(text.divide(places))
    for line in lines:
        line.rstrip()
    return lines
