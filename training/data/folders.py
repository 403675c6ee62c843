"""The reader of picture folders: train/ and test/ (or val/) with one folder per class, or a tar of that.

UC Merced and ImageNet have this layout.
"""

import hashlib
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from training.data.images import DataError, StreamedImages
from training.data.pictures import SUFFIXES, open_picture, two_resolutions

TEST_NAMES = ("test", "val")
READ_WHOLE = 64 * 2**20
"""Largest total size in bytes of a split whose files are digested by content; others by name and size."""


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Yield `path` if it is a folder; unpack a tar into a temporary folder and yield that.

    Raise DataError if it is neither.
    """
    if path.is_dir():
        yield path
        return
    # is_tarfile reads the content, so a tar may have any name and compression.
    if not path.is_file() or not tarfile.is_tarfile(path):
        raise DataError(f"{path} is neither a folder nor a tar file.")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")  # refuses links and paths that lead outside
        yield Path(folder)


def find_splits(folder: Path) -> tuple[Path, Path]:
    """Return the training and the test folder, in `folder` or a subfolder. Raise DataError if absent."""
    # A tar usually wraps the data set in a folder named after it.
    for place in (folder, *sorted(p for p in folder.iterdir() if p.is_dir())):
        for name in TEST_NAMES:
            if (place / "train").is_dir() and (place / name).is_dir():
                return place / "train", place / name
    raise DataError(f"{folder} holds no train/ and test/ (or val/) folders.")


def class_folders(folder: Path) -> tuple[str, ...]:
    """Return the classes of a split, sorted. Raise DataError if there are fewer than two."""
    # Sorted, because a label is an index into this tuple and must not depend on the file system.
    classes = tuple(sorted(p.name for p in folder.iterdir() if p.is_dir())) if folder.is_dir() else ()
    if len(classes) < 2:
        raise DataError(f"{folder} does not hold one folder per class.")
    return classes


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a class, sorted. Raise DataError if there are none."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not files:
        raise DataError(f"{folder} holds no images.")
    return files


def read_folders(folder: Path, hr_size: int, lr_size: int) -> StreamedImages:
    """List <folder>/<class>/<picture> in sorted order without decoding any picture."""
    classes = class_folders(folder)
    files, labels = [], []
    for label, name in enumerate(classes):
        inside = pictures_in(folder / name)
        files += [(file, "") for file in inside]  # "": a whole picture, no named part of it
        labels += [label] * len(inside)
    return StreamedImages(
        files=tuple(files),
        decode=partial(_decode, hr_size, lr_size),
        labels=torch.tensor(labels),
        classes=classes,
        digests=file_digests([file for file, _ in files], folder),
    )


def file_digests(files: list[Path], folder: Path) -> tuple[str, ...]:
    """Return the sha256 of each file's content, or of its name and size if reading all would take too long.

    Copies in such a large split go unnoticed here; `loupe-train data check` finds them.
    """
    sizes = [file.stat().st_size for file in files]
    if sum(sizes) > READ_WHOLE:  # reading every byte would take as long as an epoch
        names = (f"{file.relative_to(folder)} {size}" for file, size in zip(files, sizes, strict=True))
        return tuple(hashlib.sha256(name.encode()).hexdigest() for name in names)
    return tuple(content_digest(file) for file in files)


def content_digest(file: Path) -> str:
    """Return the sha256 of a file's bytes in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()  # in blocks, not the whole file in memory


def _decode(hr_size: int, lr_size: int, file: Path, _part: str) -> tuple[Tensor, Tensor]:
    return two_resolutions(open_picture(file), hr_size, lr_size)
