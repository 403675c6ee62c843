"""The choice of a reader by the `data` key of a recipe."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from training.data.cifar import DATA_SETS, read_cifar
from training.data.fmow import read_fmow
from training.data.folders import find_splits, read_folders, unpacked
from training.data.images import NORMALISED, DataError, Images, StreamedImages, read_now

RESIDENT = 8 * 2**30
"""Bytes of HR pixels that may stay in memory; a larger split is decoded batch by batch."""


@contextmanager
def open_splits(
    layout: str,
    path: Path,
    hr_size: int,
    lr_size: int,
    *,
    mean: Sequence[float] = NORMALISED[0],
    std: Sequence[float] = NORMALISED[1],
) -> Iterator[tuple[Images | StreamedImages, Images | StreamedImages]]:
    """Yield the training and the test split; a tar stays unpacked until the block ends.

    Raise DataError naming each missing or broken file.
    """
    # Pairs may be given as the path of their CSV, which is neither a folder nor a tar.
    with unpacked(path) if path.is_dir() or layout != "pairs" else _as_is(path) as place:
        train = _read(layout, place, train=True, hr_size=hr_size, lr_size=lr_size)
        test = _read(layout, place, train=False, hr_size=hr_size, lr_size=lr_size)
        if train.classes != test.classes:  # labels are indices: in one split they would mean other classes
            only = sorted(set(train.classes) ^ set(test.classes))
            raise DataError(f"These classes are in one split only: {', '.join(only)}.")
        train, test = (_ready(split, hr_size=hr_size, mean=mean, std=std) for split in (train, test))
        yield train, test


@contextmanager
def _as_is(path: Path) -> Iterator[Path]:
    yield path


def _read(layout: str, place: Path, *, train: bool, hr_size: int, lr_size: int) -> Images | StreamedImages:
    if layout in DATA_SETS:
        return read_cifar(place, DATA_SETS[layout], train=train, hr_size=hr_size, lr_size=lr_size)
    if layout in ("folders", "imagenet"):
        return read_folders(find_splits(place)[0 if train else 1], hr_size, lr_size)
    if layout == "fmow":
        return read_fmow(place, train=train, hr_size=hr_size, lr_size=lr_size)
    if layout == "pairs":
        # GDAL is not on every machine that trains, and only this reader needs it.
        from training.data.pairs import read_pairs  # noqa: PLC0415

        return read_pairs(place, train=train, hr_size=hr_size, lr_size=lr_size)
    raise DataError(f"The layout {layout!r} is unknown.")


def _ready(
    split: Images | StreamedImages, *, hr_size: int, mean: Sequence[float], std: Sequence[float]
) -> Images | StreamedImages:
    placed = replace(split, mean=tuple(mean), std=tuple(std))
    if isinstance(placed, Images):
        return placed
    # 3 bytes per HR pixel; LR pixels are few beside them.
    resident = 3 * hr_size * hr_size * len(placed.files) <= RESIDENT
    return read_now(placed) if resident else placed
