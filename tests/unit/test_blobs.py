"""The blob store: a blob is whole or absent, and its bytes match its name."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from service import blobs as storage
from service.blobs import BlobDamagedError, BlobMissingError, StorageFailedError


def test_get_returns_what_put_stored_under_its_digest(tmp_path: Path) -> None:
    sha256 = storage.put(tmp_path / "blobs", b"pixels")
    assert sha256 == hashlib.sha256(b"pixels").hexdigest()
    assert storage.get(tmp_path / "blobs", sha256) == b"pixels"


def test_put_twice_keeps_one_file(tmp_path: Path) -> None:
    assert storage.put(tmp_path, b"pixels") == storage.put(tmp_path, b"pixels")
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_put_replaces_a_damaged_blob(tmp_path: Path) -> None:
    sha256 = storage.put(tmp_path, b"pixels")
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    path.write_bytes(b"pixelz")
    with pytest.raises(BlobDamagedError):
        storage.get(tmp_path, sha256)
    storage.put(tmp_path, b"pixels")
    assert storage.get(tmp_path, sha256) == b"pixels"


def test_open_checked_reads_a_file_that_is_removed_meanwhile(tmp_path: Path) -> None:
    sha256 = storage.put(tmp_path, b"pixels")
    with storage.open_checked(tmp_path, sha256) as file:
        storage.remove(storage.path_of(tmp_path, sha256))
        assert file.read() == b"pixels"


def test_open_checked_refuses_changed_bytes(tmp_path: Path) -> None:
    sha256 = storage.put(tmp_path, b"pixels")
    storage.path_of(tmp_path, sha256).write_bytes(b"pixelz")
    with pytest.raises(BlobDamagedError):
        storage.open_checked(tmp_path, sha256)


@pytest.mark.parametrize("read", [storage.get, storage.open_checked])
@pytest.mark.parametrize("sha256", ["0" * 64, "../../etc/passwd", "", "A" * 64])
def test_get_refuses_unknown_digests_and_paths(
    tmp_path: Path, sha256: str, read: Callable[[Path, str], object]
) -> None:
    with pytest.raises(BlobMissingError):
        read(tmp_path, sha256)


def test_put_leaves_no_file_after_a_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", disk_full)
    with pytest.raises(StorageFailedError, match="No space"):
        storage.put(tmp_path, b"pixels")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_workspaces_share_no_file(tmp_path: Path) -> None:
    folders = [storage.folder_of(tmp_path, uuid4()) for _ in range(2)]
    sha256 = storage.put(folders[0], b"pixels")

    with pytest.raises(BlobMissingError):
        storage.get(folders[1], sha256)
    storage.put(folders[1], b"pixels")
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2


def test_blob_of_an_earlier_version_is_read_and_is_stored_anew_when_it_is_sent(tmp_path: Path) -> None:
    folder, sha256 = storage.folder_of(tmp_path, uuid4()), storage.put(tmp_path, b"pixels")
    assert storage.get(folder, sha256) == b"pixels"

    assert storage.put(folder, b"pixels") == sha256
    assert storage.path_of(folder, sha256).exists()


def test_put_makes_a_known_blob_new(tmp_path: Path) -> None:
    path = storage.path_of(tmp_path, storage.put(tmp_path, b"pixels"))
    os.utime(path, (0, 0))
    storage.put(tmp_path, b"pixels")
    assert path.stat().st_mtime > 0


def test_keep_makes_a_spooled_file_new(tmp_path: Path) -> None:
    for _ in range(2):
        with storage.spooling(tmp_path) as spool:
            spool.write(b"pixels")
            spooled = spool.close()
            storage.keep(tmp_path, spooled)
        path = storage.path_of(tmp_path, spooled.sha256)
        assert path.stat().st_mtime > 0
        os.utime(path, (0, 0))
