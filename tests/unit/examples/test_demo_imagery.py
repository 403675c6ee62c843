"""Layout and cutting of the demo's imagery."""

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rasterio.io import MemoryFile

from examples.demo import imagery
from examples.demo.imagery import ImageryError, find_mosaic, neon, uc_merced
from examples.demo.mosaic import TILE_PX, Mosaic, Pixels
from tests.support.imagery import CLASSES, make_uc_merced

TILE_M = 78.0288


def two_tiles() -> Mosaic:
    """West tile: every patch has its own grey; east tile: black."""
    pixels = np.zeros((TILE_PX, 2 * TILE_PX, 3), np.uint8)
    for patch in range(16):
        column, row = divmod(patch, 4)
        pixels[row * 64 : (row + 1) * 64, column * 64 : (column + 1) * 64] = 10 * patch + 5
    return Mosaic(pixels, TILE_M, "EPSG:32611", 400_000, 3_700_000, None, "")


def read(geotiff: bytes) -> tuple[Pixels, tuple[float, float, float, float], str]:
    with MemoryFile(geotiff) as memory, memory.open() as file:
        return file.read(), tuple(file.bounds), str(file.crs)


def test_scene_averages_each_tile_to_the_requested_pixels() -> None:
    pixels, bounds, crs = read(two_tiles().scene(8))

    assert pixels.shape == (3, 8, 16)
    assert pixels[0, 0:2, 0:2].tolist() == [[5, 5], [5, 5]]  # patch 0
    assert pixels[0, 2:4, 0:2].tolist() == [[15, 15], [15, 15]]  # patch 1 lies below it
    assert bounds == pytest.approx((400_000, 3_700_000 - TILE_M, 400_000 + 2 * TILE_M, 3_700_000))
    assert crs == "EPSG:32611"


@pytest.mark.parametrize(
    ("patch", "row", "column"),
    [
        (0, 0, 0),
        (1, 1, 0),  # ids run down the columns
        (4, 0, 1),
        (15, 3, 3),
    ],
)
def test_patch_is_cut_at_its_column_major_place(patch: int, row: int, column: int) -> None:
    pixels, bounds, _ = read(two_tiles().patch(0, patch))
    step = TILE_M / 4

    assert pixels.shape == (3, 64, 64)
    assert set(np.unique(pixels)) == {10 * patch + 5}
    assert bounds[0] == pytest.approx(400_000 + column * step)
    assert bounds[3] == pytest.approx(3_700_000 - row * step)


def test_patch_of_the_second_tile_is_one_tile_further_east() -> None:
    _, bounds, _ = read(two_tiles().patch(1, 0))

    assert bounds[0] == pytest.approx(400_000 + TILE_M)


def test_uc_merced_draws_twelve_test_classes_and_keeps_their_truth(tmp_path: Path) -> None:
    mosaic = uc_merced(make_uc_merced(tmp_path), TILE_M)

    assert (mosaic.columns, mosaic.rows) == (4, 3)
    assert mosaic.truth is not None
    assert len(set(mosaic.truth)) == 12
    greys = [
        int(mosaic.pixels[row * 256 + 9, column * 256 + 9, 0]) for row in range(3) for column in range(4)
    ]
    assert greys == [CLASSES.index(name) * 10 for name in mosaic.truth]


def test_uc_merced_draws_the_same_images_every_time(tmp_path: Path) -> None:
    path = make_uc_merced(tmp_path)

    assert uc_merced(path, TILE_M).truth == uc_merced(path, TILE_M).truth


def test_choose_skips_images_of_a_training_site() -> None:
    names = [f"uc-merced/test/beach/{stem}.jpg" for stem in ("beach13", "beach07")]

    assert imagery._choose(names) == ["uc-merced/test/beach/beach07.jpg"]


def wheel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    Image.new("RGB", (2299, 2472), (10, 20, 30)).save(content, "PNG")
    path = folder / imagery.WHEEL_FILE
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(imagery.NEON_IMAGE, content.getvalue())
    monkeypatch.setattr(imagery, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize("data", [None, Path("nowhere")])
def test_find_mosaic_without_data_uses_one_photograph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path | None
) -> None:
    wheel(tmp_path, monkeypatch)

    mosaic = find_mosaic(data, tmp_path, TILE_M)

    assert (mosaic.columns, mosaic.rows, mosaic.truth) == (2, 3, None)
    assert "The image has no labels" in mosaic.words


def test_neon_refuses_and_removes_an_altered_wheel(tmp_path: Path) -> None:
    path = tmp_path / imagery.WHEEL_FILE
    path.write_bytes(b"altered")

    with pytest.raises(ImageryError, match="has an unexpected digest"):
        neon(tmp_path, TILE_M)

    assert not path.exists()
