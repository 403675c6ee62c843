"""Stored scenes that are read again: their tiles are those that were planned, or they are refused."""

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray

from service.blobs import put
from service.plans.reading import SceneReadDifferentlyError, cut_again, lr_pixels, read_again
from service.plans.tables import Scene
from tests.support.bundles import make_geotiff, make_manifest, make_pixels, make_settings

NORTH_UP = Affine(10, 0, 500_000, 0, -10, 5_300_000)
MIRRORED = Affine(-10, 0, 500_240, 0, -10, 5_300_000)
UPSIDE_DOWN = Affine(10, 0, 500_000, 0, 10, 5_299_840)
TURNED = Affine(0, 10, 500_000, -10, 0, 5_300_240)


def stored_scene(blobs: Path, transform: Affine) -> Scene:
    """Store a scene of 2 x 3 tiles as versions before 0.3.0 did: its grid is that of the file's pixels."""
    body = make_geotiff(make_pixels(), transform=transform)
    grid = {
        "columns": 3, "rows": 2, "tile_px": 8, "transform": list(transform[:6]), "crs": "EPSG:32632",
    }  # fmt: skip
    reading = {
        "bands": [1, 2, 3], "asked": {"radiometry": None}, "radiometry": "8-bit display values", "grid": grid,
    }  # fmt: skip
    return Scene(sha256=put(blobs, body), size=len(body), reading=reading)


def test_stored_scene_is_cut_into_the_planned_tiles(tmp_path: Path) -> None:
    scene = stored_scene(tmp_path, NORTH_UP)
    pixels: NDArray[np.uint8] = lr_pixels(scene, make_manifest(), tmp_path, make_settings(tmp_path))

    assert np.array_equal(pixels[1], make_pixels()[:, :8, 8:16])


@pytest.mark.parametrize("transform", [MIRRORED, UPSIDE_DOWN, TURNED])
def test_stored_scene_whose_tiles_have_another_order_now_is_refused(
    tmp_path: Path, transform: Affine
) -> None:
    scene, settings = stored_scene(tmp_path, transform), make_settings(tmp_path)

    with pytest.raises(SceneReadDifferentlyError, match="Send the file again"):
        lr_pixels(scene, make_manifest(), tmp_path, settings)
    with pytest.raises(SceneReadDifferentlyError):
        cut_again(read_again(scene, tmp_path, settings), scene, make_manifest())
