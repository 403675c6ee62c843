"""Every loader on a tiny tree of its real layout, whole and damaged."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from tests.support.layouts import write_cifar, write_csv, write_fmow, write_pairs, write_raster
from tests.support.training import write_data
from training.cli import app
from training.data import cifar, folders, pairs
from training.data.check import check, describe
from training.data.cifar import read_cifar
from training.data.fmow import list_objects, read_fmow, with_context
from training.data.held_out import split_groups
from training.data.images import DataError, StreamedImages, read_now
from training.data.layouts import open_splits
from training.data.pairs import read_pairs, to_uint8
from training.data.pictures import Box, centre_box

RUNNER = CliRunner()


@pytest.fixture
def tiny_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(cifar.DATA_SETS, "cifar10", write_cifar(tmp_path / "c"))
    return tmp_path / "c"


@pytest.mark.parametrize("inside", ["", "cifar-10-batches-py"])
def test_read_cifar_accepts_its_folder_or_the_one_around_it(tiny_cifar: Path, inside: str) -> None:
    with open_splits("cifar10", tiny_cifar / inside, 32, 8) as (train, test):
        assert (len(train.labels), len(test.labels)) == (12, 6)
        assert train.classes == ("cat", "dog")
        hr, lr = train.pixels(torch.tensor([3]))
        assert (hr.shape, lr.shape) == ((1, 3, 32, 32), (1, 3, 8, 8))
        assert lr[0, 0, 0, 0] == hr[0, 0, :4, :4].float().mean().round()


def test_read_cifar_never_unpickles_an_unpublished_file(
    tiny_cifar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pickle.load", lambda *_a, **_k: pytest.fail("unpickled"))
    batch = tiny_cifar / "cifar-10-batches-py" / "data_batch_1"
    batch.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(DataError, match="data_batch_1 is not the published file"):
        read_cifar(tiny_cifar, cifar.DATA_SETS["cifar10"], train=True, hr_size=32, lr_size=8)
    batch.unlink()
    assert check(tiny_cifar, "cifar10").wrong == (f"{batch} is missing.",)


def test_read_cifar_resizes_hr(tiny_cifar: Path) -> None:
    kind = cifar.DATA_SETS["cifar10"]
    images = read_cifar(tiny_cifar, kind, train=False, hr_size=64, lr_size=8)
    assert images.hr.shape == (6, 3, 64, 64)


def test_read_fmow_gives_one_image_per_box_and_no_false_detections(tmp_path: Path) -> None:
    images = read_now(read_fmow(write_fmow(tmp_path), train=True, hr_size=16, lr_size=4))
    assert images.classes == ("airport", "zoo")  # false detections are left out
    assert len(images.labels) == 6
    assert len(list_objects(tmp_path, train=False)[0]) == 4


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((450, 450, 100, 100), (400, 400, 600, 600)),  # a tenth of the picture: context 1.0
        ((480, 480, 40, 40), (440, 440, 560, 560)),  # smaller than a tenth: context 2.0
        ((200, 200, 600, 600), (155, 155, 845, 845)),  # context 0.15
        ((0, 450, 100, 100), (0, 400, 200, 600)),  # kept inside
        ((400, 450, 200, 100), (350, 350, 650, 650)),  # squared: 200 * 1.5 wide, 100 * 2 high
    ],
)
def test_with_context_widens_small_boxes_more_and_stays_inside(box: Box, expected: Box) -> None:
    assert with_context(box, 1000, 1000) == pytest.approx(expected)


def test_read_fmow_prefers_a_csv_and_names_its_broken_rows(tmp_path: Path) -> None:
    write_fmow(tmp_path)
    header = "image,category,x,y,width,height"
    picture = "train/zoo/zoo_0/zoo_0_0_rgb.jpg"
    rows = [[picture, "zoo", 1, 2, 30, 20], [picture, "airport", 1, 2, 30, 20]]
    write_csv(tmp_path / "train.csv", rows, header)
    assert len(read_fmow(tmp_path, train=True, hr_size=16, lr_size=4).labels) == 2
    write_csv(
        tmp_path / "train.csv", [["gone.jpg", "zoo", 1, 2, 30, 20], [picture, "zoo", 1, 2, 0, "x"]], header
    )
    with pytest.raises(DataError, match="2 files cannot be used") as error:
        read_fmow(tmp_path, train=True, hr_size=16, lr_size=4)
    assert "gone.jpg is missing" in str(error.value)
    assert "line 3" in str(error.value)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: f.write_text("{}"), "no readable bounding_boxes"),
        (lambda f: f.write_text("not json"), "no readable bounding_boxes"),
        (lambda f: f.with_suffix(".jpg").unlink(), "has no picture"),
    ],
)
def test_read_fmow_names_damaged_files(tmp_path: Path, damage: Callable[[Path], object], words: str) -> None:
    write_fmow(tmp_path)
    damage(tmp_path / "train/zoo/zoo_1/zoo_1_0_rgb.json")
    with pytest.raises(DataError, match=words):
        read_fmow(tmp_path, train=True, hr_size=16, lr_size=4)
    assert [sentence for sentence in check(tmp_path, "fmow").wrong if "zoo_1_0_rgb" in sentence]


def test_read_fmow_names_a_box_outside_its_picture(tmp_path: Path) -> None:
    write_fmow(tmp_path)
    file = tmp_path / "train/zoo/zoo_1/zoo_1_0_rgb.json"
    file.write_text(json.dumps({"bounding_boxes": [{"category": "zoo", "box": [70, 1, 30, 30]}]}))
    with pytest.raises(DataError, match=r"The box .* of .*zoo_1_0_rgb\.jpg reaches outside"):
        read_now(read_fmow(tmp_path, train=True, hr_size=16, lr_size=4))
    (sentence,) = check(tmp_path, "fmow").wrong[:1]
    assert sentence.startswith("The box (70.0, 1.0, 30.0, 30.0) of ")
    assert "zoo_1_0_rgb.jpg reaches outside" in sentence


def test_list_objects_leaves_out_boxes_of_two_pixels(tmp_path: Path) -> None:
    write_fmow(tmp_path)
    file = tmp_path / "train/zoo/zoo_1/zoo_1_0_rgb.json"
    boxes = [{"category": "zoo", "box": [1, 1, side, 9]} for side in (2, 3)]
    file.write_text(json.dumps({"bounding_boxes": boxes}))
    objects, broken = list_objects(tmp_path, train=True)
    assert broken == []
    assert [item.box for item in objects if item.picture == file.with_suffix(".jpg")] == [(1, 1, 3, 9)]


@pytest.mark.parametrize("labelled", [True, False])
def test_read_fmow_tests_on_val_if_test_has_no_categories(tmp_path: Path, labelled: bool) -> None:
    write_fmow(tmp_path)
    (tmp_path / "val").rename(tmp_path / "test")
    shutil.copytree(tmp_path / "train", tmp_path / "val")
    if not labelled:
        for file in (tmp_path / "test").rglob("*_rgb.json"):
            box = json.loads(file.read_text())["bounding_boxes"][0]
            file.write_text(json.dumps({"bounding_boxes": [{"box": box["box"]}]}))
    objects, broken = list_objects(tmp_path, train=False)
    assert broken == []
    assert {item.picture.relative_to(tmp_path).parts[0] for item in objects} == {
        "test" if labelled else "val"
    }


def test_the_dates_of_one_place_are_not_split_apart(tmp_path: Path) -> None:
    write_fmow(tmp_path)
    for place in (tmp_path / "train").glob("*/*"):
        for file in place.glob("*_0_rgb.*"):
            shutil.copy(file, file.with_name(file.name.replace("_0_rgb", "_1_rgb")))
    images = read_fmow(tmp_path, train=True, hr_size=16, lr_size=4)
    rest, held = split_groups(images, 1, seed=0)
    assert len(held) == 4  # two classes, one place each, two dates
    assert not {images.sites[i] for i in rest.tolist()} & {images.sites[i] for i in held.tolist()}
    assert len({file.parent for file, _ in images.files}) == len(set(images.sites)) == 6


def test_read_pairs_gives_both_resolutions(tmp_path: Path) -> None:
    images = read_now(read_pairs(write_pairs(tmp_path), train=True, hr_size=16, lr_size=8))
    assert (images.hr.shape, images.lr.shape) == ((4, 3, 16, 16), (4, 3, 8, 8))
    assert images.classes == ("farm", "port")
    assert images.labels.tolist() == [0, 1, 0, 1]


def test_to_uint8_scales_as_the_service_does() -> None:
    times = np.array([[0, 1779, 3558, 9000]], dtype=np.uint16)
    assert to_uint8(times).tolist() == [[0, 128, 255, 255]]
    assert to_uint8((times * 1e-4).astype(np.float32)).tolist() == [[0, 128, 255, 255]]
    assert to_uint8(np.array([[7]], dtype=np.uint8)).tolist() == [[7]]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            lambda f: write_raster(f, np.zeros((3, 32, 32), np.uint8), gsd=2.5, left=500_006.0),
            "do not cover the same ground",
        ),
        (
            lambda f: write_raster(f, np.zeros((1, 32, 32), np.uint8), gsd=2.5),
            r"1 band\(s\); red, green and blue are needed",
        ),
        (lambda f: Image.new("RGB", (32, 32)).save(f), "not georeferenced"),
        (lambda f: f.write_bytes(b"gone"), "not a readable raster"),
    ],
)
def test_read_pairs_names_damaged_files(tmp_path: Path, damage: Callable[[Path], object], words: str) -> None:
    file = write_pairs(tmp_path)
    damage(tmp_path / "hr/2.tif")
    with pytest.raises(DataError, match=words):
        read_now(read_pairs(file, train=True, hr_size=16, lr_size=8))
    (sentence,) = check(file, "pairs").wrong[:1]
    assert "line 4" in sentence
    assert "hr/2.tif" in sentence


def test_read_pairs_names_broken_csv_rows(tmp_path: Path) -> None:
    file = write_pairs(tmp_path)
    write_csv(file, [["lr/0.tif", "hr/9.tif", "farm", "train"], ["lr/1.tif", "hr/1.tif", "port", "validate"]])
    with pytest.raises(DataError, match="2 files cannot be used") as error:
        read_pairs(file, train=True, hr_size=16, lr_size=8)
    assert "hr/9.tif is missing" in str(error.value)
    assert "the split 'validate' is neither train nor test" in str(error.value)
    write_csv(file, [], "lr,hr,class,split")
    with pytest.raises(DataError, match="does not have the columns lr,hr,label,split"):
        read_pairs(file, train=True, hr_size=16, lr_size=8)


def test_check_pair_compares_projections_on_the_ground(tmp_path: Path) -> None:
    lr = write_raster(tmp_path / "lr.tif", np.zeros((3, 8, 8), np.uint8), gsd=10.0)
    with pytest.raises(DataError, match="do not cover the same ground"):
        pairs.check_pair(
            lr, write_raster(tmp_path / "hr.tif", np.zeros((3, 8, 8), np.uint8), gsd=10.0, crs="EPSG:32634")
        )


def test_open_splits_streams_large_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.data.layouts.RESIDENT", 1000)
    write_data(tmp_path / "d")
    with open_splits("imagenet", tmp_path / "d", 16, 4, mean=(1.0, 2.0, 3.0)) as (train, _):
        assert isinstance(train, StreamedImages)
        assert tuple(train.mean) == (1.0, 2.0, 3.0)
        assert train.pixels(torch.tensor([5, 1]))[0].shape == (2, 3, 16, 16)


@pytest.mark.parametrize(
    ("size", "box"),
    [((256, 242), (0, 0, 256, 242)), ((500, 375), (62.5, 0, 437.5, 375)), ((100, 300), (0, 100, 100, 200))],
)
def test_centre_box_keeps_only_nearly_square_pictures_whole(size: tuple[int, int], box: Box) -> None:
    assert centre_box(*size) == box


def test_describe_reports_a_sound_data_set(tmp_path: Path) -> None:
    write_data(tmp_path / "d")
    findings = check(tmp_path / "d", "folders")
    assert findings.wrong == ()
    assert describe(findings) == (
        "train: 24 images, 3 classes, 8 to 8 images in each; sides 20 to 20 px, median 20 px.\n"
        "test: 12 images, 3 classes, 4 to 4 images in each; sides 20 to 20 px, median 20 px.\n"
        "No problems were found."
    )


def test_check_compares_large_splits_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "READ_WHOLE", 0)
    data = write_data(tmp_path / "d")
    for split, colour in (("train", "red"), ("test", "blue")):
        Image.new("RGB", (20, 20), colour).save(data / split / "class0/00.bmp")
    assert check(data, "folders").wrong == ()
    (data / "test/class0/copy.bmp").write_bytes((data / "train/class0/00.bmp").read_bytes())
    (sentence,) = check(data, "folders").wrong
    assert "class0/copy.bmp is also in train" in sentence


def test_check_reports_every_problem_at_once(tmp_path: Path) -> None:
    data = write_data(tmp_path / "d")
    (data / "train/class0/00.png").write_bytes(b"")
    (data / "train/class0/01.png").write_bytes((data / "train/class0/01.png").read_bytes()[:100])
    (data / "train/class1/notes.txt").write_text("hello")
    (data / "test/class2/00.png").write_bytes((data / "train/class2/00.png").read_bytes())
    (data / "test/extra").mkdir()
    (data / "train/few").mkdir()
    Image.new("RGB", (20, 20)).save(data / "train/few/0.png")
    wrong = "\n".join(check(data, "folders").wrong)
    for words in (
        "class0/00.png is empty",
        "class0/01.png is not a readable image",
        "class1 holds other files than pictures, which are ignored: 1.",
        "test/class2/00.png is also in train",
        "test/extra holds no images",
        "The class few is only in train.",
        "The class few has 1 training image(s); provide at least 5.",
    ):
        assert words in wrong


def test_check_command_exits_with_1_on_any_problem(tmp_path: Path) -> None:
    data = write_data(tmp_path / "d")
    assert RUNNER.invoke(app, ["data", "check", str(data)]).exit_code == 0
    (data / "train/class0/00.png").write_bytes(b"")
    result = RUNNER.invoke(app, ["data", "check", str(data)])
    assert result.exit_code == 1
    assert "Problems found: 1." in result.output
    assert "class0/00.png is empty" in " ".join(result.output.split())
    assert RUNNER.invoke(app, ["data", "check", str(data), "--layout", "magic"]).exit_code == 2
