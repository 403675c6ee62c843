"""Images in folders, one per class, resident in memory as uint8 at the two resolutions of a recipe."""

import hashlib
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from models.preprocess import downsample

SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"}


class DataError(ValueError):
    """The data set is missing, incomplete or unreadable; the message names the file."""


@dataclass(frozen=True, kw_only=True)
class Images:
    """One split: hr uint8 (N, 3, H, H), lr uint8 (N, 3, h, h), labels int64 (N,)."""

    hr: Tensor
    lr: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    digests: tuple[str, ...]
    """sha256 of each file."""

    @property
    def digest(self) -> str:
        """sha256 over labels and file digests: which data a bundle was trained on."""
        lines = (
            f"{label} {digest}\n" for label, digest in zip(self.labels.tolist(), self.digests, strict=True)
        )
        return hashlib.sha256("".join(lines).encode()).hexdigest()


@contextmanager
def open_data(path: Path) -> Iterator[Path]:
    """The folder holding train/ and test/: `path` itself, a folder in it, or a tar unpacked for the while."""
    if path.is_dir():
        yield _find_splits(path)
        return
    if not path.is_file() or not tarfile.is_tarfile(path):
        raise DataError(f"{path} is neither a folder nor a tar file")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")  # refuses links and paths that lead outside
        yield _find_splits(Path(folder))


def _find_splits(folder: Path) -> Path:
    for candidate in (folder, *sorted(p for p in folder.iterdir() if p.is_dir())):
        if (candidate / "train").is_dir() and (candidate / "test").is_dir():
            return candidate
    raise DataError(f"{folder} holds no train/ and test/ folders")


def read_split(folder: Path, hr_size: int, lr_size: int) -> Images:
    """Read <folder>/<class>/<image> in sorted order. DataError names what is missing or corrupt."""
    classes = tuple(sorted(p.name for p in folder.iterdir() if p.is_dir())) if folder.is_dir() else ()
    if len(classes) < 2:
        raise DataError(f"{folder} does not hold one folder per class")
    hr, lr, labels, digests = [], [], [], []
    for label, name in enumerate(classes):
        files = sorted(p for p in (folder / name).iterdir() if p.suffix.lower() in SUFFIXES)
        if not files:
            raise DataError(f"{folder / name} holds no images")
        for file in files:
            content = file.read_bytes()
            fine, coarse = _two_resolutions(content, file, hr_size, lr_size)
            hr.append(fine)
            lr.append(coarse)
            labels.append(label)
            digests.append(hashlib.sha256(content).hexdigest())
    return Images(
        hr=torch.stack(hr),
        lr=torch.stack(lr),
        labels=torch.tensor(labels),
        classes=classes,
        digests=tuple(digests),
    )


def _two_resolutions(content: bytes, file: Path, hr_size: int, lr_size: int) -> tuple[Tensor, Tensor]:
    try:
        with Image.open(BytesIO(content)) as image:
            picture = image.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise DataError(f"{file} is not a readable image: {error}") from error
    # Both from the original pixels: the LR sensor does not look through the HR one.
    fine = picture.resize((hr_size, hr_size), Image.Resampling.BILINEAR)  # Pillow's is antialiased
    coarse = downsample(_pixels(picture).unsqueeze(0), lr_size)[0].round().to(torch.uint8)
    return _pixels(fine), coarse


def _pixels(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()  # (H, W, 3) -> (3, H, W)


def split_groups(images: Images, per_class: int, seed: int) -> tuple[Tensor, Tensor]:
    """Indices (rest, held out), `per_class` or a few more held out of each class.

    Identical files go to the same side, else one would be judged on what it has learnt by heart.
    """
    held: list[int] = []
    for groups in _shuffled_groups(images, range(len(images.labels)), seed):
        taken: list[int] = []
        for group in groups:
            if len(taken) < per_class:
                taken += group
        held += taken
    mask = torch.zeros(len(images.labels), dtype=torch.bool)
    mask[held] = True
    return (~mask).nonzero()[:, 0], mask.nonzero()[:, 0]


def fold_of(images: Images, indices: Tensor, folds: int, seed: int) -> Tensor:
    """Fold number of every image, int64 (N,), stratified; -1 for images outside `indices`."""
    numbers = torch.full((len(images.labels),), -1)
    for groups in _shuffled_groups(images, indices.tolist(), seed):
        for position, group in enumerate(groups):
            numbers[group] = position % folds
    return numbers


def _shuffled_groups(images: Images, indices: Sequence[int], seed: int) -> Iterator[list[list[int]]]:
    """For each class, its groups of identical files in random order."""
    generator = torch.Generator().manual_seed(seed)
    by_class: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index in indices:
        by_class[int(images.labels[index])][images.digests[index]].append(index)
    for label in sorted(by_class):
        groups = list(by_class[label].values())
        yield [groups[i] for i in torch.randperm(len(groups), generator=generator).tolist()]
