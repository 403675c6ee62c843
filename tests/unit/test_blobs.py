"""The blob store: a blob is whole or absent, and its bytes match its name."""

import hashlib
from collections.abc import Callable
from pathlib import Path

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


def test_verified_path_leads_to_the_bytes_and_refuses_changed_ones(tmp_path: Path) -> None:
    sha256 = storage.put(tmp_path, b"pixels")
    path = storage.verified_path(tmp_path, sha256)
    assert path.read_bytes() == b"pixels"
    path.write_bytes(b"pixelz")
    with pytest.raises(BlobDamagedError):
        storage.verified_path(tmp_path, sha256)


@pytest.mark.parametrize("read", [storage.get, storage.verified_path])
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
