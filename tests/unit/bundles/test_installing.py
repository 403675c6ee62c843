"""Bundles added to a folder, removed from it, and chosen as its default."""

import shutil
from pathlib import Path

import pytest

from models.bundle import MANIFEST
from service.bundles.installing import (
    BundleHeldTwiceError,
    BundleIsDefaultError,
    BundleNotAddedError,
    add_bundle,
    check_removable,
    choose_default,
    default_label,
    find_bundle,
    remove_bundle,
)
from service.bundles.stored import read_bundles, read_default
from service.errors import NotFoundError, UnavailableError
from tests.support.bundles import write_bundle


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Write a bundle with a card and a file that does not belong to it."""
    folder = write_bundle(tmp_path / "made")
    (folder / "README.md").write_text("# tiny\n")
    (folder / "notes.txt").write_text("private")
    return folder


@pytest.fixture
def held(tmp_path: Path) -> Path:
    return tmp_path / "held"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_add_copies_the_bundle_under_name_and_version(source: Path, held: Path) -> None:
    stored, is_new = add_bundle(source, held)
    assert (stored.folder, is_new) == (held / "tiny-1", True)
    assert names(held) == ["default", "tiny-1"]
    assert set(names(held / "tiny-1")) == {MANIFEST, "README.md", *stored.manifest.weights}
    assert add_bundle(source, held) == (stored, False)


def test_add_refuses_what_it_cannot_use_and_leaves_nothing(source: Path, held: Path, tmp_path: Path) -> None:
    add_bundle(source, held)
    before = names(held)
    with pytest.raises(BundleNotAddedError, match="same name and version, tiny@1"):
        add_bundle(write_bundle(tmp_path / "other", temperature=2.0), held)
    with pytest.raises(BundleNotAddedError, match="cannot name a folder"):
        add_bundle(write_bundle(tmp_path / "outside", name="../tiny", version="2"), held)
    altered = write_bundle(tmp_path / "altered", version="2")
    (altered / "hr.safetensors").write_bytes(b"")
    with pytest.raises(UnavailableError, match=r"altered cannot be used\. The sha256 of hr\.safetensors"):
        add_bundle(altered, held)
    (held / "tiny-3").mkdir()
    with pytest.raises(BundleNotAddedError, match="is in the way"):
        add_bundle(write_bundle(tmp_path / "third", version="3"), held)
    assert names(held) == [*before, "tiny-3"]


def test_second_name_leaves_the_first_one_the_default(source: Path, held: Path, tmp_path: Path) -> None:
    add_bundle(source, held)
    add_bundle(write_bundle(tmp_path / "other", name="other"), held)
    assert default_label(held, None) == "tiny@1"
    add_bundle(write_bundle(tmp_path / "newer", version="1.1"), held)
    assert default_label(held, None) == "tiny@1.1"
    assert default_label(held, "other") == "other@1"


def test_default_is_written_if_it_names_a_bundle(source: Path, held: Path, tmp_path: Path) -> None:
    add_bundle(source, held)
    add_bundle(write_bundle(tmp_path / "newer", version="2"), held)
    choose_default(held, "tiny@1")
    assert (read_default(held), default_label(held, None)) == ("tiny@1", "tiny@1")
    with pytest.raises(NotFoundError, match="holds no bundle nobody, only tiny@1, tiny@2"):
        choose_default(held, "nobody")
    assert read_default(held) == "tiny@1"


def test_remove_deletes_a_version_but_never_the_default(source: Path, held: Path, tmp_path: Path) -> None:
    add_bundle(source, held)
    add_bundle(write_bundle(tmp_path / "newer", version="2"), held)
    choose_default(held, "tiny@2")
    with pytest.raises(BundleIsDefaultError, match="tiny@2 is the default bundle"):
        check_removable(find_bundle(held, "tiny@2"), None)
    check_removable(find_bundle(held, "tiny@2"), "tiny@1")
    first = find_bundle(held, "tiny@1")
    check_removable(first, None)
    remove_bundle(first)
    assert names(held) == ["default", "tiny-2"]
    assert [one.label for one in read_bundles(held)] == ["tiny@2"]
    with pytest.raises(NotFoundError, match="only tiny@2"):
        find_bundle(held, "tiny@1")


def test_remove_of_the_last_bundle_leaves_no_default_to_the_next_one(source: Path, held: Path) -> None:
    add_bundle(source, held)
    remove_bundle(find_bundle(held, "tiny@1"))
    assert names(held) == []


def test_find_refuses_a_bundle_in_two_folders_and_names_both(source: Path, held: Path) -> None:
    add_bundle(source, held)
    shutil.copytree(held / "tiny-1", held / "copy")
    for wanted in ("tiny@1", read_bundles(held)[0].sha256):
        with pytest.raises(BundleHeldTwiceError, match=r"tiny@1 lies in 2 folders .*/copy, .*/tiny-1\."):
            find_bundle(held, wanted)
    shutil.rmtree(held / "copy")
    assert find_bundle(held, "tiny@1").folder == held / "tiny-1"
