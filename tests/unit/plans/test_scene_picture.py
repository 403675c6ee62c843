"""Pictures of windows: whose pixels they show, and how large they are."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service import blobs
from service.plans.reading import SceneReadDifferentlyError
from service.plans.scene_picture import LONGEST_SIDE, coarseness, render_window
from service.plans.tables import Scene


def make_scene(folder: Path, columns: int = 3, rows: int = 2, px: int = 8) -> tuple[Scene, NDArray[np.uint8]]:
    tiles = np.random.default_rng(0).integers(0, 256, (columns * rows, 3, px, px), dtype=np.uint8)
    digest = blobs.put(folder, tiles.tobytes())
    assert digest == hashlib.sha256(tiles.tobytes()).hexdigest()
    grid = {"columns": columns, "rows": rows, "tile_px": px, "transform": [10, 0, 0, 0, -10, 0]}
    reading = {"grid": grid | {"crs": "EPSG:32632"}, "tiles_sha256": digest}
    return Scene(sha256="", size=0, reading=reading), tiles


def pixels(png: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
        return np.asarray(picture)


def test_window_shows_its_tiles_row_by_row(tmp_path: Path) -> None:
    scene, tiles = make_scene(tmp_path)
    shown = pixels(render_window(scene, 1, 0, 2, 2, tmp_path))
    assert shown.shape == (16, 16, 3)
    for tile, row, column in ((1, 0, 0), (2, 0, 8), (4, 8, 0), (5, 8, 8)):
        assert (shown[row : row + 8, column : column + 8] == tiles[tile].transpose(1, 2, 0)).all()


def test_large_scene_is_averaged_to_a_picture_that_a_page_can_load(tmp_path: Path) -> None:
    scene, tiles = make_scene(tmp_path, columns=500, rows=1)
    shown = pixels(render_window(scene, 0, 0, 500, 1, tmp_path))
    assert shown.shape == (2, 1000, 3)
    assert shown[0, 0].tolist() == tiles[0, :, :4, :4].mean(axis=(1, 2)).round().astype(int).tolist()


@pytest.mark.parametrize(
    ("px", "tiles", "step"), [(8, 10, 1), (8, 200, 1), (8, 201, 2), (12, 400, 3), (8, 5000, 8)]
)
def test_coarseness_is_the_least_divisor_that_is_enough(px: int, tiles: int, step: int) -> None:
    assert coarseness(px, tiles) == step
    assert step == px or px // step * tiles <= LONGEST_SIDE


def test_scene_without_kept_tiles_says_what_to_do(tmp_path: Path) -> None:
    scene, _ = make_scene(tmp_path)
    scene.reading = {"grid": scene.reading["grid"]}
    with pytest.raises(SceneReadDifferentlyError, match="Plan its file again"):
        render_window(scene, 0, 0, 1, 1, tmp_path)
