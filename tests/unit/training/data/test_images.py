import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support.training import write_data
from training.data import layouts
from training.data.folders import read_folders, unpacked
from training.data.held_out import fold_of, split_groups
from training.data.images import DataError, Images, centred, prefetched, read_now
from training.data.layouts import open_splits
from training.run.folder import Run
from training.run.recipe import load_recipe
from training.run.splits import open_run


def read_split(folder: Path, hr_size: int, lr_size: int) -> Images:
    return read_now(read_folders(folder, hr_size, lr_size))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "tiny")


def test_read_folders_gives_both_resolutions_in_order(data: Path) -> None:
    images = read_split(data / "train", 16, 4)
    assert (images.hr.shape, images.lr.shape) == ((24, 3, 16, 16), (24, 3, 4, 4))
    assert images.hr.dtype == images.lr.dtype == torch.uint8
    assert images.classes == ("class0", "class1", "class2")
    assert images.labels.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    assert images.lr.float().mean((0, 2, 3)) == pytest.approx(images.hr.float().mean((0, 2, 3)), abs=1)


def test_digest_identifies_the_data_at_any_size(data: Path) -> None:
    before = read_split(data / "test", 8, 4).digest
    assert read_split(data / "test", 16, 8).digest == before
    shutil.copy(data / "test/class0/00.png", data / "test/class0/01.png")
    assert read_split(data / "test", 8, 4).digest != before


def test_unpacked_tar_equals_its_folder(data: Path, tmp_path: Path) -> None:
    archive = tmp_path / "tiny.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(data, "tiny")
    with unpacked(archive) as folder:
        digest = read_split(folder / "tiny/test", 8, 4).digest
    assert digest == read_split(data / "test", 8, 4).digest
    assert not folder.exists()


def test_unpacked_refuses_a_tar_that_writes_outside_its_folder(data: Path, tmp_path: Path) -> None:
    archive = tmp_path / "evil.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(data, "tiny")
        tar.add(data / "test/class0/00.png", "../escaped.png")
    with pytest.raises(tarfile.OutsideDestinationError), unpacked(archive):
        pass


def test_read_now_names_a_corrupt_file(data: Path) -> None:
    (data / "train/class1/03.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"class1/03\.png is not a readable image"):
        read_split(data / "train", 16, 4)


def test_read_now_names_a_truncated_file(data: Path) -> None:
    file = data / "train/class1/03.png"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match=r"class1/03\.png is not a readable image"):
        read_split(data / "train", 16, 4)


def test_read_folders_names_an_empty_class(data: Path) -> None:
    shutil.rmtree(data / "train/class1")
    (data / "train/class1").mkdir()
    with pytest.raises(DataError, match="class1 holds no images"):
        read_split(data / "train", 16, 4)


def test_open_splits_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a folder nor a tar"), unpacked(tmp_path / "nowhere"):
        pass
    with (
        pytest.raises(DataError, match="no train/ and test/"),
        open_splits("folders", tmp_path, 16, 4),
    ):
        pass


def test_split_groups_is_stratified_disjoint_and_repeatable(data: Path) -> None:
    images = read_split(data / "train", 8, 4)
    rest, held = split_groups(images, 2, seed=0)
    assert torch.bincount(images.labels[held]).tolist() == [2, 2, 2]
    assert sorted(rest.tolist() + held.tolist()) == list(range(24))
    assert torch.equal(split_groups(images, 2, seed=0)[1], held)
    assert not torch.equal(split_groups(images, 2, seed=1)[1], held)


@pytest.mark.parametrize("seed", range(8))
def test_identical_files_share_a_side_and_a_fold(data: Path, seed: int) -> None:
    shutil.copy(data / "train/class0/00.png", data / "train/class0/05.png")
    images = read_split(data / "train", 8, 4)
    rest, held = split_groups(images, 3, seed)
    assert (0 in held) == (5 in held)
    fold = fold_of(images, rest, 3, seed)
    assert fold[0] == fold[5]
    assert set(fold[held].tolist()) == {-1}
    assert set(fold[rest].tolist()) == {0, 1, 2}


def test_read_now_names_and_counts_every_broken_file(data: Path) -> None:
    for number in range(3):
        (data / f"train/class1/0{number}.png").write_bytes(b"")
    with pytest.raises(DataError, match="3 files cannot be used") as error:
        read_split(data / "train", 16, 4)
    assert str(error.value).count("is empty") == 3
    assert "loupe-train data check" in str(error.value)


def test_prefetched_streams_the_resident_pixels_in_order(data: Path) -> None:
    streamed = read_folders(data / "train", 16, 4)
    resident = read_now(streamed)
    order = [torch.tensor([3, 0]), torch.tensor([23]), torch.tensor([7, 9, 11])]
    for (one, (hr, lr)), (two, (other_hr, other_lr)) in zip(
        prefetched(streamed, order), prefetched(resident, order), strict=True
    ):
        assert torch.equal(one, two)
        assert torch.equal(hr, other_hr)
        assert torch.equal(lr, other_lr)


def test_prefetched_names_a_file_broken_while_streaming(data: Path) -> None:
    streamed = read_folders(data / "train", 16, 4)
    (data / "train/class0/02.png").write_bytes(b"gone")
    with pytest.raises(DataError, match=r"class0/02\.png"):
        list(prefetched(streamed, [torch.tensor([0]), torch.tensor([2])]))


def test_open_splits_refuses_classes_of_one_split(data: Path) -> None:
    shutil.rmtree(data / "test/class1")
    with pytest.raises(DataError, match="in one split only: class1"), open_splits("folders", data, 16, 4):
        pass


@pytest.mark.parametrize("resident", [True, False])
def test_images_read_larger_show_their_middle_and_only_crops_see_the_rim(
    data: Path, resident: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not resident:
        monkeypatch.setattr(layouts, "RESIDENT", 0)
    recipe = replace(load_recipe("smoke"), crop_from=20)
    run = Run(out=data.parent / "out", seed=0, device=torch.device("cpu"))
    first = torch.tensor([0])
    with open_run(recipe, data, run) as splits:
        assert splits.crop is not None
        larger, _ = splits.crop.source.pixels(first)
        hr, lr = splits.images.pixels(first)
        assert [splits.test.pixels(first)[0].shape, larger.shape] == [(1, 3, 16, 16), (1, 3, 20, 20)]
    assert torch.equal(hr, larger[..., 2:18, 2:18])
    blocks = hr.float().reshape(1, 3, 4, 4, 4, 4).mean((3, 5))  # (1, 3, row, 4 px, col, 4 px)
    assert torch.equal(lr.float(), blocks.round())


def test_centred_keeps_the_lr_of_images_read_at_their_size(data: Path) -> None:
    images = read_split(data / "train", 16, 4)
    apart = replace(images, lr=255 - images.lr)
    kept = centred(apart, 16, 16, 4)
    assert isinstance(kept, Images)
    assert torch.equal(kept.lr, apart.lr)
