"""Tables that fit the terminal: text gives way, and amounts, ids and headings stay whole."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, JustifyMethod, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

GAP = 2
"""Blanks between two columns."""
ID_LENGTH = 36
LONGEST_WORD = 24
"""Length from which on a word is broken in a narrow column, unless it is an amount, a number or an id."""
NARROWEST = 10
"""Width to which a column of text is narrowed at most."""
GLUE = "\ue000"
"""Character in place of a blank at which no line is broken. It is never printed."""
_AMOUNT = re.compile(r"-?\d[\d,.]* (?:[A-Z]{3}\b|of \d[\d,]*|km2\b|m\b|%)")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32,64}")
"""An id, or a digest in hex."""


Cell = str | Text
"""A cell, with a style if it is a `Text`."""


def facts(rows: Iterable[tuple[str, str]]) -> "Card":
    """Return a table of names and values without borders."""
    return Card(tuple(rows))


def columns(titles: Sequence[str], rows: Iterable[Sequence[Cell]], right: Collection[str] = ()) -> "Columns":
    """Return a table. Columns named in `right` are right-aligned.

    Where a row does not fit, text wraps at words. Where amounts, ids and headings do not fit side by side,
    each row becomes a block with a line for each column.
    """
    return Columns(tuple(titles), tuple(map(tuple, rows)), frozenset(right))


@dataclass(frozen=True)
class Line:
    """A text in which no amount is broken."""

    text: str
    style: str = ""

    def __rich_measure__(self, _console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(least(self.text), natural(self.text)).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from unglued(console, Text(glued(self.text), self.style), options)


@dataclass(frozen=True)
class Card:
    """Names and values, one pair a line. A value that does not fit beside its name stands below."""

    rows: tuple[tuple[str, Cell], ...]

    def __rich_measure__(self, _console: Console, _options: ConsoleOptions) -> Measurement:
        names, values = (max((natural(row[side]) for row in self.rows), default=0) for side in (0, 1))
        return Measurement(min(names + GAP, LONGEST_WORD), names + GAP + values)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        names = max((natural(name) for name, _ in self.rows), default=0)
        for name, value in self.rows:
            fits = names + GAP + least(value) <= options.max_width
            content = _beside(name, value, names) if fits else _below(name, value)
            yield from unglued(console, content, options)


def _beside(name: str, value: Cell, names: int) -> RenderableType:
    table = Table.grid(padding=(0, GAP))
    table.add_column(style="bold", no_wrap=True, width=names)
    table.add_column(overflow="fold")
    table.add_row(name, _glued_cell(value), style=_style(name))
    return table


def _below(name: str, value: Cell) -> RenderableType:
    below = Text(_glued_cell(value).plain, _style(name), overflow="fold")
    return Group(Text(name, "bold"), Padding(below, (0, 0, 0, GAP)))


@dataclass(frozen=True)
class Columns:
    """Rows of cells below titles."""

    titles: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    right: frozenset[str]

    def __rich_measure__(self, _console: Console, _options: ConsoleOptions) -> Measurement:
        return Measurement(LONGEST_WORD, _total([natural(title, *cells) for title, cells in self._columns()]))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = self
        if _total([natural(title, *cells) for title, cells in self._columns()]) > options.max_width:
            shown = self._without_empty_columns()
        widths = shown.widths(options.max_width)
        content = shown._table(widths) if widths else shown._cards()
        yield from unglued(console, content, options)

    def widths(self, most: int) -> list[int]:
        """Return the width of each column so that all fit into `most`; none if they do not fit."""
        found = [natural(title, *cells) for title, cells in self._columns()]
        floors = [_floor(title, cells) for title, cells in self._columns()]
        if self.rows and _total(floors) > most:
            return []
        while _total(found) > most:
            slack = [number for number in range(len(found)) if found[number] > floors[number]]
            if not slack:
                break
            found[max(slack, key=found.__getitem__)] -= 1
        return found

    def _columns(self) -> Iterator[tuple[str, tuple[Cell, ...]]]:
        for number, title in enumerate(self.titles):
            yield title, tuple(row[number] for row in self.rows)

    def _without_empty_columns(self) -> "Columns":
        kept = [number for number, (_, cells) in enumerate(self._columns()) if any(cells) or not cells]
        rows = tuple(tuple(row[number] for number in kept) for row in self.rows)
        return Columns(tuple(self.titles[number] for number in kept), rows, self.right)

    def _table(self, widths: Sequence[int]) -> Table:
        table = Table(box=None, header_style="bold", padding=(0, GAP, 0, 0), pad_edge=False)
        for title, width in zip(self.titles, widths, strict=True):
            justify: JustifyMethod = "right" if title in self.right else "left"
            table.add_column(title, justify=justify, overflow="fold", width=width)
        for row in self.rows:
            table.add_row(*map(_glued_cell, row))
        return table

    def _cards(self) -> Group:
        parts: list[RenderableType] = []
        for row in self.rows:
            card = Card(tuple((title, cell) for title, cell in zip(self.titles, row, strict=True) if cell))
            parts += [Text(), card] if parts else [card]
        return Group(*parts)


def glued(text: str) -> str:
    """Return a text in which no line is broken between a number and its unit or currency."""
    return _AMOUNT.sub(lambda found: found[0].replace(" ", GLUE), text)


def _glued_cell(cell: Cell) -> Text:
    return Text(glued(str(cell)), cell.style if isinstance(cell, Text) else "")


def natural(*texts: Cell) -> int:
    """Return the width of the longest line of texts."""
    return max((cell_len(line) for text in texts for line in str(text).splitlines()), default=0)


def least(text: Cell) -> int:
    """Return the width that a text needs so that no amount, number or id of it is broken."""
    return max((_least_of_word(word) for word in glued(str(text)).split()), default=0)


def _least_of_word(word: str) -> int:
    has_digit = any(map(str.isdigit, word))
    is_whole = GLUE in word or _ID.search(word) or (has_digit and len(word) <= ID_LENGTH)
    return cell_len(word) if is_whole else min(cell_len(word), LONGEST_WORD)


def _floor(title: str, cells: Sequence[Cell]) -> int:
    """Return the least width of a column: that of its longest whole word, and of each word of its title."""
    words = [cell_len(word) for word in title.split()]
    return max(min(natural(*cells), NARROWEST), *map(least, cells), *words, 0)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * max(0, len(widths) - 1)


def _style(name: str) -> str:
    return "yellow" if name == "Warning" else ""


def unglued(console: Console, content: RenderableType, options: ConsoleOptions) -> Iterator[Segment]:
    """Render and put blanks in the places where no line was to be broken."""
    for segment in console.render(content, options):
        yield Segment(segment.text.replace(GLUE, " "), segment.style, segment.control)
