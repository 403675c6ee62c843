"""The bundles of a server: found by name, version, digest, folder and plan."""

from pathlib import Path

import pytest

from models.bundle import MANIFEST
from service.bundles.card import identify
from service.bundles.registry import (
    BundleChangedError,
    Bundles,
    BundleUnknownError,
    open_bundles,
    version_order,
)
from service.bundles.stored import DEFAULT_FILE, read_bundles
from service.errors import UnavailableError
from tests.support.bundles import hold, make_bundle, write_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two versions of `tiny` and one bundle `other`."""
    root = tmp_path_factory.mktemp("bundles")
    for name, version in (("tiny", "1.9"), ("tiny", "1.10"), ("other", "1")):
        write_bundle(root / f"{name}-{version}", name=name, version=version)
    return root


@pytest.fixture
def bundles(folder: Path) -> Bundles:
    return open_bundles(folder, "other", "cpu", 1)


def label(bundles: Bundles, wanted: str | None) -> str:
    manifest = bundles.named(wanted).manifest
    return f"{manifest.name}@{manifest.version}"


def test_bundles_are_found_by_name_version_digest_and_folder(bundles: Bundles) -> None:
    assert label(bundles, None) == "other@1"
    assert label(bundles, "tiny") == "tiny@1.10"
    assert label(bundles, "tiny@1.9") == "tiny@1.9"
    assert label(bundles, "tiny-1.9") == "tiny@1.9"
    assert label(bundles, bundles.named("tiny@1.9").sha256) == "tiny@1.9"


@pytest.mark.parametrize("wanted", ["", "tiny@2", "tin", "0" * 64])
def test_named_refuses_other_bundles_and_names_those_held(bundles: Bundles, wanted: str) -> None:
    with pytest.raises(BundleUnknownError, match=r"holds other@1, tiny@1\.10, tiny@1\.9") as caught:
        bundles.named(wanted)
    assert caught.value.extra["served"] == ["other@1", "tiny@1.10", "tiny@1.9"]


def test_of_plan_compares_digests_only(bundles: Bundles) -> None:
    old = bundles.named("tiny@1.9")
    assert bundles.of_plan({"bundle": {"name": "x", "version": "9", "sha256": old.sha256}}) is old
    with pytest.raises(BundleChangedError, match=r"tiny 1\.9, which this server no longer holds"):
        bundles.of_plan({"bundle": identify(old) | {"sha256": "0" * 64}})


def test_bundles_are_listed_from_the_default_by_name_and_version(bundles: Bundles) -> None:
    assert [(one.manifest.name, one.manifest.version) for one in bundles] == [
        ("other", "1"), ("tiny", "1.10"), ("tiny", "1.9"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("1.9", "1.10"),
        ("1", "1.0.1"),
        ("2.0-rc1", "2.0"),
        ("2.0-rc1", "2.0-rc2"),
        ("1.9", "2.0-rc1"),
        ("9", "10"),
    ],
)
def test_version_order_is_by_number_and_puts_early_releases_first(earlier: str, later: str) -> None:
    assert version_order(earlier) < version_order(later)


def test_default_is_the_only_name_then_the_file_then_the_setting(tmp_path: Path) -> None:
    write_bundle(tmp_path / "a", version="1")
    write_bundle(tmp_path / "b", version="2")
    assert label(open_bundles(tmp_path, None, "cpu", 1), None) == "tiny@2"
    (tmp_path / DEFAULT_FILE).write_text("tiny@1\n")
    assert label(open_bundles(tmp_path, None, "cpu", 1), None) == "tiny@1"
    assert label(open_bundles(tmp_path, "b", "cpu", 1), None) == "tiny@2"


def test_default_that_cannot_be_told_stops_the_start(folder: Path) -> None:
    with pytest.raises(UnavailableError, match="other, tiny, and none of them is the default"):
        open_bundles(folder, None, "cpu", 1)
    with pytest.raises(UnavailableError, match="LOUPE_DEFAULT_BUNDLE"):
        open_bundles(folder, "tiny@3", "cpu", 1)
    (folder / DEFAULT_FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(UnavailableError, match="default is no text"):
        open_bundles(folder, None, "cpu", 1)


def test_pinned_bundles_are_served_and_any_other_stops_the_start(folder: Path) -> None:
    digests = {one.sha256: one.label for one in read_bundles(folder)}
    assert len(open_bundles(folder, "other", "cpu", 1, digests)) == len(digests)
    for left_out, name in digests.items():
        with pytest.raises(UnavailableError, match=f"does not list the bundle {name}"):
            open_bundles(folder, "other", "cpu", 1, digests.keys() - {left_out})


def test_folder_without_bundles_holds_none(tmp_path: Path) -> None:
    for empty in (tmp_path, tmp_path / "nowhere"):
        bundles = open_bundles(empty, "tiny", "cpu", 1)
        assert len(bundles) == 0
        with pytest.raises(UnavailableError, match="loupe bundles add"):
            bundles.named(None)


def test_broken_bundle_stops_the_start_with_its_folder_and_cause(tmp_path: Path) -> None:
    write_bundle(tmp_path / "good")
    broken = write_bundle(tmp_path / "broken", version="2") / "policy.safetensors"
    broken.write_bytes(broken.read_bytes()[:-1] + b"x")
    with pytest.raises(UnavailableError, match=r"broken cannot be used. The sha256 of policy\.safetensors"):
        open_bundles(tmp_path, None, "cpu", 1)
    broken.unlink()
    with pytest.raises(
        UnavailableError, match=r"broken cannot be used. The bundle lacks policy\.safetensors"
    ):
        open_bundles(tmp_path, None, "cpu", 1)
    (tmp_path / "broken" / MANIFEST).write_text("{")
    with pytest.raises(UnavailableError, match=r"broken cannot be used\. The manifest is not JSON"):
        open_bundles(tmp_path, None, "cpu", 1)


def test_two_bundles_of_one_version_stop_the_start_unless_they_are_equal(tmp_path: Path) -> None:
    write_bundle(tmp_path / "a")
    write_bundle(tmp_path / "b")
    assert len(open_bundles(tmp_path, None, "cpu", 1)) == 1
    write_bundle(tmp_path / "c", temperature=2.0)
    with pytest.raises(UnavailableError, match="are both tiny@1 but differ"):
        open_bundles(tmp_path, None, "cpu", 1)


def test_bundle_in_place_of_the_folder_of_bundles_is_explained(bundle_folder: Path) -> None:
    with pytest.raises(UnavailableError, match="is a bundle itself"):
        open_bundles(bundle_folder, None, "cpu", 1)


def test_hidden_folders_and_others_without_a_manifest_are_passed_over(tmp_path: Path) -> None:
    write_bundle(tmp_path / "tiny")
    write_bundle(tmp_path / ".incoming", temperature=2.0)
    (tmp_path / "notes").mkdir()
    assert len(open_bundles(tmp_path, None, "cpu", 1)) == 1


def test_bundle_that_was_replaced_since_the_start_is_not_used(tmp_path: Path) -> None:
    write_bundle(tmp_path / "a", version="1")
    write_bundle(tmp_path / "b", version="2")
    bundles = open_bundles(tmp_path, "a", "cpu", 1)
    write_bundle(tmp_path / "b", version="3")
    with pytest.raises(UnavailableError, match=r"b was replaced since it was read\. Restart"):
        bundles.named("tiny@2").prepare()


def test_equal_bundles_hold_their_networks_once() -> None:
    one = hold(make_bundle())
    bundles = Bundles({"a": one, "b": one}, "b")
    assert bundles.named("a") is bundles.named("b") is bundles.default


def test_version_of_thousands_of_digits_is_refused_with_its_cause(tmp_path: Path) -> None:
    write_bundle(tmp_path / "tiny", version="9" * 5000)
    with pytest.raises(UnavailableError, match=r"tiny cannot be used\. .*version.* has 5,000 characters"):
        open_bundles(tmp_path, None, "cpu", 1)
