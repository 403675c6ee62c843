"""The demo's imagery: laid out right, and cut right."""

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


def test_the_scene_averages_each_tile_to_the_asked_pixels() -> None:
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
def test_a_patch_is_cut_where_its_id_says(patch: int, row: int, column: int) -> None:
    pixels, bounds, _ = read(two_tiles().patch(0, patch))
    step = TILE_M / 4

    assert pixels.shape == (3, 64, 64)
    assert set(np.unique(pixels)) == {10 * patch + 5}
    assert bounds[0] == pytest.approx(400_000 + column * step)
    assert bounds[3] == pytest.approx(3_700_000 - row * step)


def test_a_patch_of_the_second_tile_lies_one_tile_further_east() -> None:
    _, bounds, _ = read(two_tiles().patch(1, 0))

    assert bounds[0] == pytest.approx(400_000 + TILE_M)


def test_twelve_classes_are_drawn_from_the_test_part_and_their_truth_is_kept(tmp_path: Path) -> None:
    mosaic = uc_merced(make_uc_merced(tmp_path), TILE_M)

    assert (mosaic.columns, mosaic.rows) == (4, 3)
    assert mosaic.truth is not None
    assert len(set(mosaic.truth)) == 12
    greys = [
        int(mosaic.pixels[row * 256 + 9, column * 256 + 9, 0]) for row in range(3) for column in range(4)
    ]
    assert greys == [CLASSES.index(name) * 10 for name in mosaic.truth]


def test_the_same_images_are_drawn_every_time(tmp_path: Path) -> None:
    path = make_uc_merced(tmp_path)

    assert uc_merced(path, TILE_M).truth == uc_merced(path, TILE_M).truth


def test_images_that_show_a_training_site_are_never_drawn() -> None:
    names = [f"uc-merced/test/beach/{stem}.jpg" for stem in ("beach13", "beach07")]

    assert imagery._choose(names) == ["uc-merced/test/beach/beach07.jpg"]


def wheel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    Image.new("RGB", (2299, 2472), (10, 20, 30)).save(content, "PNG")
    path = folder / imagery.WHEEL_FILE
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(imagery.NEON_IMAGE, content.getvalue())
    monkeypatch.setattr(imagery, "WHEEL_SHA256", imagery.hashlib.sha256(path.read_bytes()).hexdigest())


def test_without_the_data_folder_whole_tiles_of_one_photograph_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(tmp_path, monkeypatch)

    mosaic = find_mosaic(tmp_path / "nowhere", tmp_path, TILE_M)

    assert (mosaic.columns, mosaic.rows, mosaic.truth) == (2, 3, None)
    assert "No label ships with this image" in mosaic.words


def test_an_altered_wheel_is_refused_and_removed(tmp_path: Path) -> None:
    path = tmp_path / imagery.WHEEL_FILE
    path.write_bytes(b"altered")

    with pytest.raises(ImageryError, match="not the file this demo knows"):
        neon(tmp_path, TILE_M)

    assert not path.exists()
