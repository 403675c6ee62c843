"""Windows of a scene: the tiles that a picture shows, as an address names them. Pure."""

import re
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidInputError
from service.imagery.tile_grid import TileGrid

DETAILED_TILES = 256
"""Most tiles of a window whose patches are drawn one by one."""
DETAILED_SIDE = 8
"""Columns and rows of the window that opens around a tile."""
Value = TypeVar("Value", bound=np.generic)
_TEXT = re.compile(r"(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6})")


@dataclass(frozen=True, kw_only=True)
class Window:
    """Tiles of a grid: `columns` x `rows` of them from column `left` and row `top` on."""

    left: int
    top: int
    columns: int
    rows: int

    @property
    def text(self) -> str:
        """The window as an address names it: left, top, columns and rows."""
        return f"{self.left},{self.top},{self.columns},{self.rows}"

    @property
    def tile_count(self) -> int:
        """Number of tiles."""
        return self.columns * self.rows

    @property
    def is_detailed(self) -> bool:
        """Whether the window is small enough for its patches to be drawn one by one."""
        return self.tile_count <= DETAILED_TILES

    def widened(self, grid: TileGrid, tiles: int) -> "Window":
        """Return the window with `tiles` more on every side, as far as the grid goes."""
        left, top = max(0, self.left - tiles), max(0, self.top - tiles)
        right = min(grid.columns, self.left + self.columns + tiles)
        bottom = min(grid.rows, self.top + self.rows + tiles)
        return Window(left=left, top=top, columns=right - left, rows=bottom - top)

    def cut(self, grid: TileGrid, values: NDArray[Value]) -> NDArray[Value]:
        """Return the values (N, 16) of the window's tiles, row by row, of those (T, 16) of the grid."""
        rows, columns = slice(self.top, self.top + self.rows), slice(self.left, self.left + self.columns)
        by_place = values.reshape(grid.rows, grid.columns, -1)
        return by_place[rows, columns].reshape(self.tile_count, -1)

    def moved(self, grid: TileGrid, across: int, down: int) -> "Window | None":
        """Return the window half its size further; None where the grid ends."""
        left = self.left + across * max(1, self.columns // 2)
        top = self.top + down * max(1, self.rows // 2)
        left = max(0, min(left, grid.columns - self.columns))
        top = max(0, min(top, grid.rows - self.rows))
        found = replace(self, left=left, top=top)
        return None if found == self else found


def whole(grid: TileGrid) -> Window:
    """Return the window of all tiles."""
    return Window(left=0, top=0, columns=grid.columns, rows=grid.rows)


def around(grid: TileGrid, column: int, row: int, side: int = DETAILED_SIDE) -> Window:
    """Return the window of up to `side` x `side` tiles around a tile, moved into the grid at its edges."""
    columns, rows = min(side, grid.columns), min(side, grid.rows)
    return Window(
        left=max(0, min(column - columns // 2, grid.columns - columns)),
        top=max(0, min(row - rows // 2, grid.rows - rows)),
        columns=columns,
        rows=rows,
    )


def window_of(grid: TileGrid, text: str | None, tile: int | None) -> Window:
    """Return the window that an address names, else the whole of a small grid, else one around `tile`.

    InvalidInputError for a window or tile that does not lie in the grid.
    """
    if tile is not None and not 0 <= tile < grid.tile_count:
        raise InvalidInputError(
            f"The scene has no tile {tile}: its tiles are 0 to {grid.tile_count - 1:,}.", tile=tile
        )
    if text is not None:
        return _read(grid, text)
    full = whole(grid)
    if tile is None or full.is_detailed:
        return full
    return around(grid, tile % grid.columns, tile // grid.columns)


def _read(grid: TileGrid, text: str) -> Window:
    found = _TEXT.fullmatch(text)
    left, top, columns, rows = map(int, found.groups()) if found else (0, 0, 0, 0)
    window = Window(left=left, top=top, columns=columns, rows=rows)
    inside = left + columns <= grid.columns and top + rows <= grid.rows
    if not window.tile_count or not inside:
        raise InvalidInputError(
            f"The window {text!r} does not lie in the scene. Give its first column, first row, number of "
            f"columns and number of rows; the scene has {grid.columns} x {grid.rows} tiles.",
            window=text,
        )
    return window
