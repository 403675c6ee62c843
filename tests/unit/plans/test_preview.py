"""The preview of a plan: its size, and the outlines of the bought patches."""

import io

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from PIL import Image

from service.imagery.tile_grid import TileGrid
from service.plans.arrays import PlanArrays
from service.plans.preview import FILLED, ON_ORDER, OWNED, PREVIEW_SIDE, WANTED, draw_preview, plan_outlines

Pixels = NDArray[np.uint8]


def make_grid(columns: int = 3, rows: int = 2, *, pixel_m: float = 10.0) -> TileGrid:
    transform = Affine(pixel_m, 0, 500_000, 0, -pixel_m, 5_300_000)
    return TileGrid(columns=columns, rows=rows, tile_px=8, transform=transform, crs="EPSG:32632")


def draw(grid: TileGrid, *bought: tuple[int, int], free: tuple[tuple[int, int], ...] = ()) -> Pixels:
    """Return the preview (H, W, 3) of a grey scene with the grid's own pixels."""
    selected = np.zeros((grid.tile_count, 16), dtype=bool)
    filled = selected.copy()
    for place in (*bought, *free):
        selected[place] = True
    for place in free:
        filled[place] = True
    grey = np.full((3, grid.rows * 8, grid.columns * 8), 128, dtype=np.uint8)
    return decode(
        draw_preview(grey, grid.transform, grid, ((selected & filled, FILLED), (selected & ~filled, WANTED)))
    )


def decode(png: bytes) -> Pixels:
    with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
        return np.asarray(picture.convert("RGB"))


def has(pixels: Pixels, colour: tuple[int, ...]) -> bool:
    return bool((pixels == colour[:3]).all(axis=-1).any())


def patch_window(pixels: Pixels, grid: TileGrid, tile: int, patch: int) -> Pixels:
    """Return the part of the preview that shows a patch."""
    side = pixels.shape[1] / (grid.columns * 4)
    row = tile // grid.columns * 4 + patch % 4
    column = tile % grid.columns * 4 + patch // 4
    return pixels[
        round(row * side) : round((row + 1) * side), round(column * side) : round((column + 1) * side)
    ]


def test_preview_outlines_only_the_bought_patch() -> None:
    grid = make_grid()
    pixels = draw(grid, (4, 6))
    for tile in range(6):
        for patch in range(16):
            window = patch_window(pixels, grid, tile, patch)
            assert has(window, WANTED) == ((tile, patch) == (4, 6)), (tile, patch)


def test_preview_gives_free_patches_their_own_colour() -> None:
    grid = make_grid()
    pixels = draw(grid, (0, 0), free=((1, 15),))
    assert has(patch_window(pixels, grid, 0, 0), WANTED)
    assert has(patch_window(pixels, grid, 1, 15), FILLED)
    assert not has(patch_window(pixels, grid, 1, 15), WANTED)


def test_preview_enlarges_small_scenes_by_a_whole_factor() -> None:
    pixels = draw(make_grid(columns=3, rows=2))
    assert pixels.shape == (66 * 16, 66 * 24, 3)  # 1600 // 24 = 66


def test_preview_reduces_large_scenes_and_keeps_outlines() -> None:
    grid = make_grid(columns=300, rows=100)
    pixels = draw(grid, (0, 0))
    assert pixels.shape == (533, PREVIEW_SIDE, 3)
    assert has(pixels[:4, :4], WANTED)
    assert not has(pixels[4:, 4:], WANTED)


@pytest.mark.parametrize(("latitude", "proportion"), [(0.0, 1.0), (60.0, 0.5), (75.0, 0.26)])
def test_preview_shows_pixels_in_degrees_with_their_proportions_on_the_ground(
    latitude: float, proportion: float
) -> None:
    transform = Affine(1e-4, 0, 13.0, 0, -1e-4, latitude)
    grid = TileGrid(columns=5, rows=5, tile_px=8, transform=transform, crs="EPSG:4326")
    height, width, _ = draw(grid, (0, 0)).shape
    assert width / height == pytest.approx(proportion, rel=0.02)


@pytest.mark.parametrize("finer", [1, 4])
def test_preview_outlines_the_same_place_in_a_finer_scene(finer: int) -> None:
    grid = make_grid()
    selected = np.zeros((6, 16), dtype=bool)
    selected[2, 12] = True
    grey = np.full((3, 16 * finer, 24 * finer), 128, dtype=np.uint8)
    own = grid.transform @ Affine.scale(1 / finer)
    pixels = decode(draw_preview(grey, own, grid, [(selected, WANTED)]))
    assert has(patch_window(pixels, grid, 2, 12), WANTED)
    assert not has(patch_window(pixels, grid, 2, 13), WANTED)


def test_preview_of_an_empty_plan_shows_the_scene_and_its_grid() -> None:
    pixels = draw(make_grid())
    assert not has(pixels, WANTED)
    assert pixels[5, 5].tolist() == [128, 128, 128]


@pytest.mark.parametrize("reuses", [True, False])
def test_preview_outlines_owned_and_ordered_patches_unless_they_are_bought(reuses: bool) -> None:
    grid = make_grid()
    ground = np.zeros((grid.tile_count, 16), dtype=np.uint8)
    ground[0, 0], ground[1, 5], ground[2, 10] = 1, 2, 1
    selected = np.zeros(ground.shape, dtype=bool)
    selected[2, 10] = True
    arrays = PlanArrays(
        utilities=np.zeros(ground.shape, np.float32),
        valid_share=np.ones(grid.tile_count, np.float32),
        counts=None,
        selected=selected,
        filled=np.zeros_like(selected),
        ground=ground,
        reuses=reuses,
    )
    grey = np.full((3, grid.rows * 8, grid.columns * 8), 128, dtype=np.uint8)

    pixels = decode(draw_preview(grey, grid.transform, grid, plan_outlines(arrays)))

    assert has(patch_window(pixels, grid, 0, 0), OWNED)
    assert has(patch_window(pixels, grid, 1, 5), ON_ORDER)
    bought = patch_window(pixels, grid, 2, 10)
    assert has(bought, WANTED)
    assert not has(bought, OWNED)
