"""The demo's tank scene: how it is cut from an archive, and the tables beside the truth."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rasterio.io import MemoryFile
from rich.console import Console, RenderableType

from examples.demo import tank_job
from examples.demo.tank_job import missing
from examples.demo.tank_report import (
    bought_mask,
    counts_table,
    everything,
    fixed_h,
    fixed_h_for,
    fixed_h_like,
    money_table,
    scene_map,
    tile_counts,
    true_classes,
)
from examples.demo.tanks import ARCHIVE, CRS, LEFT, TOP, choose_scene, read_tank_scene
from loupe import Client
from training.where.bills import Terms

BINS, CLASSES = (1, 10), ("0", "1 to 9", "10 or more")
PIXELS = np.random.default_rng(0).integers(0, 256, (480, 480, 3)).astype(np.uint8)
"""Pixels of a scene of one tile."""
TERMS = Terms(patch_km2=0.04, minimum_km2=1.0)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive like that of the data folder, with drawn scenes."""
    return write_archive(tmp_path_factory.mktemp("data"))


def write_archive(folder: Path) -> Path:
    """Write three small test scenes, of which `b` has the median number of tanks, and one for training."""
    picture = io.BytesIO()
    Image.fromarray(PIXELS).save(picture, "WEBP", lossless=True)
    boxes = [*[("a", 10, 10)] * 2, ("b", 10, 10), ("b", 400, 10), ("b", 400, 479), *[("c", 9, 9)] * 9]
    lines = ["scene,x0,y0,x1,y1", *(f"{name},{x - 2},{y - 2},{x + 2},{y + 2}" for name, x, y in boxes)]
    sites = ["scene,site,fold,split", "a,0,0,test", "b,1,0,test", "c,2,0,test", "d,3,0,train"]
    files = {"boxes.csv": "\n".join(lines).encode(), "sites.csv": "\n".join(sites).encode()}
    files |= {f"scenes/{name}.webp": picture.getvalue() for name in "abcd"}
    with tarfile.open(folder / ARCHIVE, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"tanks/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return folder / ARCHIVE


def shown(content: RenderableType) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=120, highlight=False, markup=False).print(content)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_scene_is_the_median_of_the_test_scenes_with_tanks_where_they_are_annotated(
    archive: Path, tmp_path: Path
) -> None:
    scene = read_tank_scene(archive, tmp_path / "scene")

    assert scene.name == "b"
    assert scene.counts.sum() == 3
    # Patches of 120 px, rows from the north: the centres are at (10, 10), (400, 10) and (400, 479).
    assert [scene.counts[at] for at in ((0, 0), (0, 3), (3, 3))] == [1, 1, 1]
    for file, pixels in ((scene.lr, 76), (scene.hr, 480)):
        with MemoryFile(file.read_bytes()) as memory, memory.open() as raster:
            assert (raster.width, raster.height, str(raster.crs)) == (pixels, pixels, CRS)
            assert raster.bounds == pytest.approx((LEFT, TOP - 768, LEFT + 768, TOP))
    with MemoryFile(scene.hr.read_bytes()) as memory, memory.open() as raster:
        np.testing.assert_array_equal(np.moveaxis(raster.read(), 0, -1), PIXELS)
    assert "INVENTED" in scene.words
    assert "CC BY-NC-SA 4.0" in scene.words


def test_scene_of_training_is_never_chosen() -> None:
    sites = "scene,site,fold,split\na,0,0,train\nb,1,0,test"
    assert choose_scene("scene,x0,y0,x1,y1\na,0,0,1,1", sites) == "b"


def test_demo_says_in_a_line_why_it_leaves_the_scene_out(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client("http://127.0.0.1:9", "key")
    monkeypatch.setattr(client, "items", lambda _path: [{"name": "ucmerced"}])

    assert missing(client, None) == f"The tank scene is left out: there is no {ARCHIVE}."
    assert missing(client, tmp_path) == f"The tank scene is left out: there is no {tmp_path / ARCHIVE}."
    assert missing(client, archive.parent) == "The tank scene is left out: the server has no bundle tanks."
    monkeypatch.setattr(client, "items", lambda _path: [{"name": "tanks"}])
    assert missing(client, archive.parent) is None


def test_bought_patches_lie_where_the_plan_buys_them() -> None:
    # Tile 1 is right of tile 0; patch 4 x column + row.
    mask = bought_mask([{"tile": 0, "buy": [1]}, {"tile": 1, "buy": [12]}], (4, 8))

    assert np.argwhere(mask).tolist() == [[0, 7], [1, 0]]


def test_map_shows_true_tanks_and_marks_bought_patches() -> None:
    counts = np.zeros((4, 8), np.int64)
    counts[0, 0], counts[1, 5] = 3, 12
    bought = counts == 3

    lines = shown(scene_map(bought, counts))

    assert lines[1] == "[ 3]  .   .   .    .   .   .   ."
    assert lines[2] == "  .   .   .   .    .  12   .   ."


def test_counts_and_classes_are_those_of_tiles_row_by_row() -> None:
    counts = np.zeros((8, 8), np.int64)
    counts[0, 7], counts[4, 0], counts[7, 3] = 2, 6, 4

    assert tile_counts(counts) == [0, 2, 10, 0]
    assert true_classes(counts, BINS, CLASSES) == ["0", "1 to 9", "10 or more", "0"]


def test_table_puts_counts_beside_the_truth_and_adds_up() -> None:
    counts = np.zeros((4, 8), np.int64)
    counts[0, 0] = 3
    number = {"expected": 2.6, "low": 1, "high": 5}
    none = {"expected": 0.1, "low": 0, "high": 1}
    tiles = [
        {"tile": 0, "label": "1 to 9", "patches_bought": 2, "count": number, "lr_count": none},
        {"tile": 1, "label": "1 to 9", "patches_bought": 0, "count": none, "lr_count": none},
    ]
    labelled = {"tiles": tiles, "summary": {"objects": {"total": number, "lr_total": none}}}

    lines = shown(counts_table(labelled, counts, true_classes(counts, BINS, CLASSES)))

    assert " ".join(lines[1].split()) == "0 2 of 16 0.1 (0 to 1) 2.6 (1 to 5) 3 1 to 9 right"
    assert lines[2].split()[-3:] == ["to", "9", "wrong"]
    assert " ".join(lines[3].split()) == "all 2 of 32 0.1 (0 to 1) 2.6 (1 to 5) 3 1 of 2 right"


def test_fixed_h_for_some_money_costs_no_more_and_may_buy_nothing() -> None:
    shape = (4, 40)  # 10 tiles of 0.64 km2
    middle = fixed_h(shape, 4)
    assert middle.sum() == 40
    assert middle[1:3, 1:3].all()

    # A patch in each tile makes 10 polygons of at least 1 km2: the whole scene is cheaper.
    assert everything(shape, TERMS).usd == pytest.approx(64)
    assert fixed_h_for(9, shape, TERMS).bought.sum() == 0
    assert fixed_h_for(64, shape, TERMS).bought.all()
    assert fixed_h_like(3.6, shape, TERMS).bought.sum() == 40


def test_money_table_states_what_is_found() -> None:
    counts = np.zeros((4, 4), np.int64)
    counts[1, 1], counts[0, 0] = 1, 3

    lines = shown(money_table([fixed_h_like(1, (4, 4), TERMS)], counts))

    assert " ".join(lines[1].split()) == "Fixed-H with as many patches 1 of 16 10.00 USD 1 of 4 25.0%"


def test_price_list_bills_at_least_one_square_kilometre_for_each_polygon() -> None:
    assert (tank_job.PRICES["minimum_km2"], tank_job.PRICES["minimum_applies_to"]) == ("1", "shape")
