"""Windows of a scene: what an address may name, and where a window can be moved."""

import numpy as np
import pytest
from affine import Affine

from service.dashboard.windows import DETAILED_SIDE, Window, around, whole, window_of
from service.errors import InvalidInputError
from service.imagery.tile_grid import TileGrid


def make_grid(columns: int, rows: int) -> TileGrid:
    transform = Affine(10, 0, 500_000, 0, -10, 5_300_000)
    return TileGrid(columns=columns, rows=rows, tile_px=8, transform=transform, crs="EPSG:32632")


def test_small_scene_is_shown_whole_also_for_a_tile() -> None:
    grid = make_grid(3, 2)
    assert window_of(grid, None, None) == window_of(grid, None, 5) == whole(grid)


def test_large_scene_opens_around_a_tile_and_stays_inside() -> None:
    grid = make_grid(100, 50)
    assert not window_of(grid, None, None).is_detailed
    corner = window_of(grid, None, 100 * 50 - 1)
    side = DETAILED_SIDE
    assert corner == Window(left=100 - side, top=50 - side, columns=side, rows=side)
    assert corner.is_detailed


def test_window_is_read_back_from_its_text() -> None:
    grid = make_grid(100, 50)
    window = around(grid, 40, 20)
    assert window_of(grid, window.text, None) == window


def test_window_is_widened_and_cut_as_far_as_the_grid_goes() -> None:
    grid = make_grid(4, 3)
    window = Window(left=0, top=1, columns=2, rows=1).widened(grid, 1)
    assert window == Window(left=0, top=0, columns=3, rows=3)
    tiles = np.arange(12).repeat(16).reshape(12, 16)
    assert window.cut(grid, tiles)[:, 0].tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10]


@pytest.mark.parametrize("text", ["", "1,2,3", "0,0,0,1", "99,0,2,1", "0,50,1,1", "-1,0,1,1", "a,b,c,d"])
def test_window_outside_the_scene_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="100 x 50 tiles"):
        window_of(make_grid(100, 50), text, None)


@pytest.mark.parametrize("tile", [-1, 6])
def test_tile_outside_the_scene_is_refused(tile: int) -> None:
    with pytest.raises(InvalidInputError, match="its tiles are 0 to 5"):
        window_of(make_grid(3, 2), None, tile)


def test_window_moves_by_half_its_size_until_the_edge() -> None:
    grid = make_grid(100, 50)
    window = Window(left=0, top=0, columns=10, rows=10)
    assert window.moved(grid, -1, 0) is None
    assert window.moved(grid, 1, 0) == Window(left=5, top=0, columns=10, rows=10)
    assert Window(left=88, top=0, columns=10, rows=10).moved(grid, 1, 0) == Window(
        left=90, top=0, columns=10, rows=10
    )
