"""Scenes with objects on a ground small enough to count by hand: patches of 10 m, tiles of 40 m."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from models.symmetry import dihedral
from tests.support.layouts import write_raster
from training.cli import app
from training.data.boxes import read_objects
from training.data.check import check
from training.data.footprints import boxes_in_pixels, list_scenes
from training.data.images import DataError
from training.data.object_scenes import ObjectScenes, read_object_scenes
from training.data.pairs import read_pairs

RUNNER = CliRunner()


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Write four pictures of 90 x 50 m with pixels of 1 m: two tiles in a row, 5 m from every border."""
    random = np.random.default_rng(0)
    for number in range(4):
        pixels = random.integers(0, 256, (50, 90, 3)).astype(np.uint8)
        (tmp_path / "scenes").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / f"scenes/s{number}.png")
    rows = ["scene,x0,y0,x1,y1"]
    # The centre of the second box lies on the border of two patches: it belongs to the right one.
    rows += ["s0,5,5,7,7", "s0,14,5,16,7", "s0.png,50,20,52,22", "s1,0,0,3,3", "s2,80,40,84,44"]
    (tmp_path / "boxes.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def tile(folder: Path, *options: str) -> ObjectScenes:
    arguments = ["data", "tile", str(folder / "scenes"), "--objects", str(folder / "boxes.csv")]
    arguments += ["--out", str(folder / "cut"), "--tile-m", "40", "--lr-m", "5", "--classes", "1,2", *options]
    result = RUNNER.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return read_object_scenes(folder / "cut")


def test_tile_counts_each_object_in_the_patch_of_its_centre(scenes: Path) -> None:
    made = tile(scenes, "--pixel-m", "1")
    first, second, third, fourth = made.scenes
    assert (first.columns, first.rows) == (2, 1)
    expected = np.zeros((4, 8), np.int64)
    expected[0, [0, 1]] = 1
    expected[1, 4] = 1
    assert (first.counts == expected).all()
    assert second.counts.sum() == 0  # its object lies in the margin that no tile covers
    assert third.counts.sum() == third.counts[3, 7] == 1
    assert fourth.counts.sum() == 0
    assert first.sizes.tolist() == [[0.05, 0.05]] * 3  # 2 m of 40 m
    assert third.sizes.tolist() == [[0.1, 0.1]]
    assert second.sizes.shape == (0, 2)
    assert made.facts["classes"] == ["0", "1", "2+"]
    assert (first.lr().shape, first.hr().shape) == ((3, 8, 16), (3, 32, 64))


def test_a_data_set_without_sizes_has_points_and_keeps_its_digest(scenes: Path) -> None:
    tile(scenes, "--pixel-m", "1")
    file = scenes / "cut/objects.csv"
    lines = [line.split(",") for line in file.read_text().splitlines()]
    assert lines[0] == ["scene", "x_m", "y_m", "width_m", "height_m"]
    digests = []
    for sizes in ([], ["0", "0"], ["2", "2"]):
        shown = [lines[0][: 3 + len(sizes)], *([*line[:3], *sizes] for line in lines[1:])]
        file.write_text("\n".join(",".join(line) for line in shown) + "\n")
        made = read_object_scenes(scenes / "cut")
        assert made.scenes[0].sizes.any() == (sizes == ["2", "2"])
        digests.append(made.digest)
    assert digests[0] == digests[1] != digests[2]


def test_pairs_show_the_turned_tile_with_its_counts(scenes: Path) -> None:
    made = tile(scenes, "--pixel-m", "1")
    turned = 0
    for train in (True, False):
        images = read_pairs(scenes / "cut/pairs.csv", train=train, hr_size=32, lr_size=8)
        assert images.counts is not None
        for index, (file, part) in enumerate(images.files):
            scene = next(one for one in made.scenes if one.name == file.stem)
            row = json.loads(part)
            column = round(float(row["left_m"]) / 40)
            hr, _ = images.pixels(torch.tensor([index]))
            plain = scene.hr()[None, :, :, 32 * column : 32 * (column + 1)]
            assert torch.equal(hr, dihedral(plain, int(row["turn"])))
            grid = torch.from_numpy(scene.counts[:, 4 * column : 4 * (column + 1)].copy())[None, None]
            # Column-major, as patches are numbered.
            expected = dihedral(grid, int(row["turn"]))[0, 0].T.reshape(-1)
            assert torch.equal(images.counts[index], expected)
            turned += row["turn"] != "0"
    assert turned > 2


def test_tiles_of_a_site_stay_in_one_split(scenes: Path) -> None:
    made = tile(scenes, "--pixel-m", "1")
    assert {one.split for one in made.scenes} == {"train", "validation", "test"}
    assert not [one for one in check(scenes / "cut/pairs.csv", "pairs").wrong if "site" in one]


def test_a_site_in_both_splits_is_refused(scenes: Path) -> None:
    tile(scenes, "--pixel-m", "1")
    file = scenes / "cut/pairs.csv"
    lines = file.read_text().splitlines()
    last = lines[-1].replace("train", "X").replace("test", "train").replace("X", "test")
    file.write_text("\n".join([*lines[:-1], last]) + "\n")
    assert any("is in train and in test" in sentence for sentence in check(file, "pairs").wrong)
    with pytest.raises(DataError, match="is in train and in test"):
        read_pairs(file, train=True, hr_size=32, lr_size=8)
    (scenes / "sites.csv").write_text("scene,site,split\ns0,a,train\ns1,a,test\ns2,b,test\ns3,c,val\n")
    result = RUNNER.invoke(
        app,
        [
            *["data", "tile", str(scenes / "scenes"), "--objects", str(scenes / "boxes.csv")],
            *["--out", str(scenes / "other"), "--pixel-m", "1", "--tile-m", "40"],
            *["--sites", str(scenes / "sites.csv")],
        ],
    )
    assert result.exit_code == 2
    assert "more than one split: a" in " ".join(result.output.split())


def test_own_lr_is_laid_over_georeferenced_scenes_and_overlaps_are_one_site(scenes: Path) -> None:
    random = np.random.default_rng(1)
    (scenes / "scenes").rename(scenes / "pictures")
    for number, left in enumerate((500_000, 500_060, 510_000, 520_000)):
        hr = random.integers(0, 256, (3, 40, 80)).astype(np.uint8)
        write_raster(scenes / f"scenes/s{number}.tif", hr, gsd=1.0, left=left)
        lr = np.full((3, 10, 20), 40 * (number + 1), np.uint8)
        write_raster(scenes / f"lr/s{number}.tif", lr, gsd=5.0, left=left - 10)
    made = tile(scenes, "--lr", str(scenes / "lr"))
    sites = [one.site for one in made.scenes]
    assert sites[0] == sites[1]
    assert len(set(sites)) == 3
    assert [int(one.lr().float().mean()) for one in made.scenes] == [40, 80, 120, 160]
    assert made.facts["lr"] == "own"


@pytest.mark.parametrize("gap", ["--sensor-gap", "--no-sensor-gap"])
def test_the_same_seed_cuts_the_same_pixels(scenes: Path, gap: str) -> None:
    first = [one.lr() for one in tile(scenes, "--pixel-m", "1", gap).scenes]
    again = [one.lr() for one in tile(scenes, "--pixel-m", "1", gap).scenes]
    other = [one.lr() for one in tile(scenes, "--pixel-m", "1", gap, "--seed", "1").scenes]
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert all(torch.equal(one, two) for one, two in zip(first, other, strict=True)) == (gap[2] == "n")


def test_read_objects_reads_coco_and_geojson(tmp_path: Path) -> None:
    coco = {
        "images": [{"id": 7, "file_name": "folder/s0.png"}],
        "annotations": [{"image_id": 7, "bbox": [10, 20, 4, 6]}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(coco))
    assert read_objects(tmp_path / "coco.json").by_scene["s0"].tolist() == [[12.0, 23.0, 4.0, 6.0]]
    square = [[[10.0, 50.0], [10.2, 50.0], [10.2, 50.1], [10.0, 50.1], [10.0, 50.0]]]
    shapes = [
        {"type": "Polygon", "coordinates": square},
        {"type": "Point", "coordinates": [10.0, 50.0]},
    ]
    collection = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": shape} for shape in shapes],
    }
    (tmp_path / "places.geojson").write_text(json.dumps(collection))
    placed = read_objects(tmp_path / "places.geojson").placed
    assert placed is not None
    assert placed == pytest.approx(np.array([[10.1, 50.05, 0.2, 0.1], [10.0, 50.0, 0.0, 0.0]]))


def test_boxes_in_degrees_keep_their_size_on_the_ground(tmp_path: Path) -> None:
    pixels = np.zeros((3, 60, 60), np.uint8)
    write_raster(tmp_path / "scenes/s0.tif", pixels, gsd=10.0, left=500_000)
    (scene,) = list_scenes(tmp_path / "scenes", None)
    assert scene.bounds is not None
    west, south, east, north = scene.bounds
    whole = np.array(
        [[(west + east) / 2, (south + north) / 2, east - west, north - south], [west, north, 0, 0]]
    )
    found = boxes_in_pixels(scene, whole)
    assert found[0] == pytest.approx(np.array([30, 30, 60, 60]), abs=0.2)
    assert found[1] == pytest.approx(np.array([0, 0, 0, 0]), abs=0.2)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("scene,x0,y0,x1\ns0,1,2,3\n", "does not have the columns"),
        ("scene,x0,y0,x1,y1\ns0,1,2,three,4\n", "line 2: the box is not four numbers"),
    ],
)
def test_read_objects_names_a_broken_line(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "boxes.csv").write_text(content)
    with pytest.raises(DataError, match=words):
        read_objects(tmp_path / "boxes.csv")


def test_read_objects_counts_an_inverted_box_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").write_text("scene,x0,y0,x1,y1\ns0,1,9,3,4\n")
    found = read_objects(tmp_path / "boxes.csv")
    assert found.by_scene["s0"].tolist() == [[2.0, 6.5, 2.0, 5.0]]
    assert found.doubts == (
        f"{tmp_path}/boxes.csv, line 2: the box ends before it begins; its centre counts.",
    )
