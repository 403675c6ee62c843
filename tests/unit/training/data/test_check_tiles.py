"""Leaks, near duplicates and framing of data sets of tiles, planted one by one."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from typer.testing import CliRunner

from models.grid import PATCHES
from tests.support.layouts import write_raster
from training.cli import app
from training.data.check import check
from training.data.duplicates import SIDE, hashes, near_duplicates
from training.data.framing import framing
from training.data.object_scenes import FACTS

RUNNER = CliRunner()


def picture(seed: int, size: tuple[int, int] = (50, 90)) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return smooth pixels (H, W, 3) with structure, as of a landscape."""
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(3)))


def cut(folder: Path, boxes: list[str], sites: list[str]) -> Path:
    """Cut the pictures in folder/scenes into tiles of 40 m."""
    (folder / "boxes.csv").write_text("\n".join(["scene,x0,y0,x1,y1", *boxes]) + "\n")
    (folder / "sites.csv").write_text("\n".join(["scene,site,split", *sites]) + "\n")
    arguments = ["data", "tile", str(folder / "scenes"), "--objects", str(folder / "boxes.csv")]
    arguments += ["--sites", str(folder / "sites.csv"), "--out", str(folder / "cut"), "--pixel-m", "1"]
    arguments += ["--tile-m", "40", "--lr-m", "5", "--classes", "1,2", "--json"]
    result = RUNNER.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed == {"wrote": [str(folder / "cut")], **json.loads((folder / "cut" / FACTS).read_text())}
    return folder / "cut"


@pytest.fixture
def planted(tmp_path: Path) -> Callable[[int], Path]:
    """Return a function that cuts four scenes at four sites, of which the last is the picture of a seed."""

    def make(last: int) -> Path:
        (tmp_path / "scenes").mkdir()
        for number, seed in enumerate((0, 1, 2, last)):
            Image.fromarray(picture(seed)).save(tmp_path / f"scenes/s{number}.png")
        boxes = [f"s{number},{x},5,{x + 2},7" for number in range(4) for x in (8, 28, 60)]
        return cut(tmp_path, boxes, ["s0,a,train", "s1,b,train", "s2,c,validation", "s3,d,test"])

    return make


def test_a_scene_under_two_sites_in_two_splits_is_refused(planted: Callable[[int], Path]) -> None:
    data = planted(0)
    leaks = [one for one in check(data, "pairs").wrong if "same picture" in one]
    assert leaks == ["hr/s3.tif and hr/s0.tif are nearly the same picture in test and in train."]
    assert RUNNER.invoke(app, ["data", "check", str(data)]).exit_code == 1


def test_unlike_scenes_are_no_leak(planted: Callable[[int], Path]) -> None:
    found = check(planted(3), "pairs")
    assert not [one for one in (*found.wrong, *found.notes) if "same" in one]


def test_a_site_that_validates_and_trains_is_refused_although_pairs_name_both_train(
    planted: Callable[[int], Path],
) -> None:
    data = planted(3)
    text = (data / "scenes.csv").read_text()
    (data / "scenes.csv").write_text(text.replace("s2,c,validation", "s2,a,validation"))
    assert any("more than one split: a" in one for one in check(data, "pairs").wrong)


def test_rasters_that_overlap_on_the_ground_are_a_leak_between_splits(tmp_path: Path) -> None:
    rows = []
    for number, (left, split) in enumerate([(0, "train"), (400, "train"), (200, "test"), (800, "test")]):
        for kind, pixel in (("lr", 50), ("hr", 5)):
            side = 400 // pixel
            pixels = np.random.default_rng(number).integers(0, 256, (3, side, side)).astype(np.uint8)
            write_raster(tmp_path / f"{kind}{number}.tif", pixels, gsd=pixel, left=500_000.0 + left)
        files = {"lr": f"lr{number}.tif", "hr": f"hr{number}.tif"}
        rows.append({**files, "label": str(number % 2), "split": split})
    with (tmp_path / "pairs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    leaks = [one for one in check(tmp_path, "pairs").wrong if "same ground" in one]
    # The third overlaps both of train by half; the last touches none of them.
    assert leaks == [
        f"hr2.tif and hr{other}.tif show the same ground in test and in train." for other in (0, 1)
    ]


def test_near_duplicates_are_found_turned_brightened_and_noisy_but_not_among_flat_pictures() -> None:
    grey = np.stack([picture(seed, (SIDE, SIDE)).mean(2) for seed in range(3)])
    random = np.random.default_rng(0)
    copy = np.rot90(grey[1], 3)[:, ::-1] * 0.8 + 20 + random.normal(0, 0.5, (SIDE, SIDE))
    flat = np.full((2, SIDE, SIDE), 40.0)
    found = hashes(np.concatenate([grey, copy[None], flat]))
    assert near_duplicates(found, found) == [(1, 3)]
    assert near_duplicates(hashes(copy[None]), hashes(grey)) == [(0, 1)]


def test_framing_tells_a_photographers_centre_from_objects_anywhere() -> None:
    random = np.random.default_rng(0)
    sites = [str(at // 4) for at in range(160)]
    anywhere = random.poisson(0.5, (160, PATCHES)).astype(float)
    centred = anywhere.copy()
    centred[:, [5, 6, 9, 10]] += random.poisson(2.0, (160, 4))
    plain, posed = framing(anywhere, sites, None), framing(centred, sites, None)
    assert plain is not None
    assert posed is not None
    assert not plain.fixed_order_profits
    assert posed.fixed_order_profits
    assert posed.tile[1:3, 1:3].sum() > 0.5
    assert framing(np.zeros((4, PATCHES)), ["a", "b", "c", "d"], None) is None


def test_check_states_where_in_the_scenes_objects_lie(planted: Callable[[int], Path]) -> None:
    notes = check(planted(3), "pairs").notes
    # Objects at rows 5 to 7 of 50: in the upper quarter, none in the middle.
    assert any("the four in the middle hold 0 % of the objects" in note for note in notes)
    assert any("fixed order" in note.lower() for note in notes)
