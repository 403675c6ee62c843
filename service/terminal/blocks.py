"""Building blocks of terminal output: amounts, areas and tile grids, as rich renderables."""

import math
from collections.abc import Collection, Iterable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loupe.answers.base import Json
from models.grid import GRID

TILES_SHOWN, TILES_ACROSS = 12, 6
BUY, LEAVE, OWNED, ON_ORDER = "#", ".", "o", "+"
_MARKS = {BUY: "buy", LEAVE: "leave", OWNED: "owned", ON_ORDER: "on order"}
_STYLES = {BUY: "bold green", LEAVE: "dim", OWNED: "cyan", ON_ORDER: "magenta"}


def money(value: Json | None) -> str:
    """Format {"amount", "currency"} as "12.50 USD", and None as a dash."""
    return "-" if value is None else f"{value['amount']} {value['currency']}"


def format_area(km2: str | float) -> str:
    """Format square kilometres with four significant digits, such as "0.03427 km2" or "1,204 km2"."""
    value = float(km2)
    places = 0 if value == 0 else max(0, 3 - math.floor(math.log10(value)))
    return f"{value:,.{places}f} km2"


def plural(count: int, noun: str) -> str:
    """Format a count and a noun: "1 patch", "2 patches", "1,380 tiles"."""
    ending = "es" if noun.endswith(("ch", "ss")) else "s"
    return f"{count:,} {noun}{'' if count == 1 else ending}"


def grid_rows(buy: Collection[int], owned: Collection[int] = (), on_order: Collection[int] = ()) -> list[str]:
    """Return the four lines of a tile's grid, north up. Patch id = 4 x column + row."""
    marks = dict.fromkeys(on_order, ON_ORDER) | dict.fromkeys(owned, OWNED) | dict.fromkeys(buy, BUY)
    return [" ".join(marks.get(GRID * column + row, LEAVE) for column in range(GRID)) for row in range(GRID)]


def tile_block(tile: Json) -> Text:
    """Return a tile's number above its 4 x 4 grid."""
    block = Text(f"tile {tile['tile']}", no_wrap=True)
    if tile["status"] == "no-data":
        return block.append("\nno data", "dim")
    for row in grid_rows(tile["buy"], tile.get("owned", ()), tile.get("on_order", ())):
        block.append("\n")
        for cell in row:
            block.append(cell, _STYLES.get(cell))
    return block


def tile_blocks(tiles: Sequence[Json], columns: int, shown: int = TILES_SHOWN) -> RenderableType:
    """Return the first `shown` tiles of a scene `columns` tiles wide, at most six per line, and a summary."""
    blocks = Table.grid(padding=(0, 4, 0, 0))
    across = min(columns, TILES_ACROSS)
    for start in range(0, min(len(tiles), shown), across):
        blocks.add_row()
        blocks.add_row(*(tile_block(tile) for tile in tiles[start : min(start + across, shown)]))
    parts: list[RenderableType] = [Text(_legend(tiles), "dim"), blocks]
    if len(tiles) > shown:
        parts.append(Text(f"... {len(tiles) - shown:,} more", "dim"))
        parts.append(spread(tiles))
    return Group(*parts)


def _legend(tiles: Sequence[Json]) -> str:
    """Name the marks: always bought and left patches, and owned and ordered ones if there are any."""
    marks = [BUY, LEAVE]
    marks += [OWNED] * any(tile.get("owned") for tile in tiles)
    marks += [ON_ORDER] * any(tile.get("on_order") for tile in tiles)
    return "   ".join(f"{mark} {_MARKS[mark]}" for mark in marks)


def spread(tiles: Iterable[Json]) -> Text:
    """Summarise in one line how many tiles buy none, few or all of their patches."""
    bought = [len(tile["buy"]) for tile in tiles if tile["status"] != "no-data"]
    ranges = {"none": (0, 0), "1 to 4": (1, 4), "5 to 8": (5, 8), "9 to 15": (9, 15), "all 16": (16, 16)}
    counts = {name: sum(low <= count <= high for count in bought) for name, (low, high) in ranges.items()}
    words = ", ".join(f"{name} in {plural(count, 'tile')}" for name, count in counts.items() if count)
    return Text(f"Patches bought: {words}." if words else "No tile contains data.")


def indent(content: RenderableType) -> Padding:
    """Indent a block by two spaces."""
    return Padding(content, (0, 0, 0, 2), expand=False)
