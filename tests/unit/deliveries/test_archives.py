"""Archives: what is tried, what is ignored, and what is refused before anything is unpacked."""

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from service.deliveries import archives
from service.deliveries.archives import ArchiveTooLargeError, ArchiveUnusableError, DeliveredArchive, is_zip
from service.errors import LoupeError
from tests.support.mosaics import archive

LARGEST = 8 * 1024 * 1024


def write(folder: Path, body: bytes) -> Path:
    path = folder / "delivery.zip"
    path.write_bytes(body)
    return path


def with_info(**fields: int) -> bytes:
    """Write an archive with one GeoTIFF whose entry has other fields."""
    memory, info = io.BytesIO(), zipfile.ZipInfo("a.tif")
    for name, value in fields.items():
        setattr(info, name, value)
    with zipfile.ZipFile(memory, "w") as packed:
        packed.writestr(info, b"II*\0")
    return memory.getvalue()


def unnamed() -> bytes:
    """Write an archive with an entry whose name is its comment instead."""
    body = bytearray(archive({"a.tif": b"II*\0"}))
    struct.pack_into("<HHH", body, body.index(b"PK\x01\x02") + 28, 0, 0, len("a.tif"))
    return bytes(body)


def encrypted() -> bytes:
    body = bytearray(archive({"a.tif": b"II*\0"}))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = body.index(signature) + at
        struct.pack_into("<H", body, place, 1)
    return bytes(body)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a/b/image.TIF", None),
        ("scene_unmasked.tiff", None),
        ("20230101_SSC_AnalyticMS_SR_8b_clip.tif", None),
        ("20230101_SSC_3B_udm2_clip.tif", "mask"),
        ("20230101_SSC_3B_AnalyticMS_DN_udm.tif", "mask"),
        ("IMG_01/MASKS/CLD.tif", "mask"),
        ("a/metadata.json", "not a GeoTIFF"),
        ("a/preview.jpg", "not a GeoTIFF"),
        ("a/parts.zip", "archive within"),
        ("__MACOSX/a/._image.tif", "hidden"),
    ],
)
def test_entry_is_tried_unless_its_name_says_that_it_is_no_imagery(
    tmp_path: Path, name: str, reason: str | None
) -> None:
    with DeliveredArchive(write(tmp_path, archive({name: b"x"})), LARGEST) as opened:
        (entry,) = opened.entries()

    assert (reason is None and entry.ignored is None) or (reason and reason in (entry.ignored or ""))


def test_entries_are_tried_largest_first_and_unpack_to_their_bytes(tmp_path: Path) -> None:
    files = {"small.tif": b"x" * 10, "notes.txt": b"n" * 99, "large.tif": bytes(range(256)) * 9000}
    with DeliveredArchive(write(tmp_path, archive(files)), LARGEST) as opened:
        entries = opened.entries()
        unpacked = b"".join(opened.chunks(entries[0]))

    assert [one.name for one in entries] == ["large.tif", "small.tif", "notes.txt"]
    assert unpacked == files["large.tif"]


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        pytest.param(archive({"../a.tif": b"x"}), ArchiveUnusableError, "outside", id="parent folder"),
        pytest.param(unnamed(), ArchiveUnusableError, "outside", id="no name"),
        pytest.param(archive({"/etc/a.tif": b"x"}), ArchiveUnusableError, "outside", id="absolute"),
        pytest.param(archive({"..\\a.tif": b"x"}), ArchiveUnusableError, "outside", id="backslash"),
        pytest.param(archive({"C:/a.tif": b"x"}), ArchiveUnusableError, "outside", id="drive"),
        pytest.param(
            with_info(external_attr=(stat.S_IFLNK | 0o777) << 16),
            ArchiveUnusableError,
            "symbolic link",
            id="symbolic link",
        ),
        pytest.param(encrypted(), ArchiveUnusableError, "encrypted", id="encrypted"),
        pytest.param(
            archive({"a.tif": b"x"}, zipfile.ZIP_LZMA), ArchiveUnusableError, "method 14", id="LZMA"
        ),
        pytest.param(
            archive({"a.tif": b"\0" * (LARGEST - 1)}), ArchiveTooLargeError, "200 times", id="expansion"
        ),
        pytest.param(
            archive({"a.tif": b"\0" * (LARGEST + 1)}), ArchiveTooLargeError, "at most", id="large entry"
        ),
        pytest.param(
            archive({f"{n}.bin": b"\0" * LARGEST for n in range(5)}),
            ArchiveTooLargeError,
            "unpacks",
            id="sum",
        ),
        pytest.param(b"PK\x03\x04", ArchiveUnusableError, "damaged", id="cut off"),
    ],
)
def test_unsafe_archive_is_refused_before_it_is_unpacked(
    tmp_path: Path, body: bytes, error: type[LoupeError], said: str
) -> None:
    with pytest.raises(error, match=said):
        DeliveredArchive(write(tmp_path, body), LARGEST)


def test_archive_with_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_ENTRIES", 2)

    with pytest.raises(ArchiveTooLargeError, match="3 files"):
        DeliveredArchive(write(tmp_path, archive(dict.fromkeys(("a", "b", "c"), b""))), LARGEST)


def test_archive_with_a_huge_directory_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_DIRECTORY_BYTES", 70_000)
    files = {f"{n:0500d}.txt": b"" for n in range(200)}

    with pytest.raises(ArchiveTooLargeError, match="directory"):
        DeliveredArchive(write(tmp_path, archive(files)), LARGEST)


def test_damaged_entry_is_reported_when_it_is_unpacked(tmp_path: Path) -> None:
    body = bytearray(archive({"a.tif": b"some bytes of imagery"}, zipfile.ZIP_STORED))
    body[40] ^= 0xFF

    with (
        DeliveredArchive(write(tmp_path, bytes(body)), LARGEST) as opened,
        pytest.raises(ArchiveUnusableError, match=r"a\.tif"),
    ):
        list(opened.chunks(opened.entries()[0]))


def test_entry_whose_name_inside_the_archive_is_no_text_is_reported(tmp_path: Path) -> None:
    body = bytearray(archive({"\N{LATIN SMALL LETTER E WITH ACUTE}.tif": b"II*\0"}))
    place = body.index(b"PK\x03\x04")
    body[place + 30] = 0xFF  # the first byte of the name before the file's bytes
    with DeliveredArchive(write(tmp_path, bytes(body)), LARGEST) as opened:
        (entry,) = opened.entries()
        with pytest.raises(ArchiveUnusableError, match="damaged"):
            list(opened.chunks(entry))


def test_zip_is_told_by_its_first_bytes() -> None:
    assert is_zip(archive({"a": b""})[:4])
    assert is_zip(archive({})[:4])
    assert not is_zip(b"II*\0")
