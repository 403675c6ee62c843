"""The report of `loupe-train data check`: the contents of a data set and every problem found in it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from training.data import cifar, fmow, folders
from training.data.images import DataError
from training.data.object_scenes import FACTS, read_object_scenes
from training.data.pictures import open_picture

FEW = 5
"""Fewest training images per class that leave enough to learn from after some are held out."""
SHOWN = 20
"""Problems printed in full; the others are only counted."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """The contents of one split."""

    name: str
    by_class: dict[str, int]
    """Number of images of each class."""
    sides: tuple[int, int, int] | None
    """Smallest, median and largest side of its pictures in pixels; None if no picture could be read."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The contents of a data set, and one sentence for each problem with a file or a class."""

    splits: tuple[Split, ...]
    wrong: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """Sentences on what may mislead: near duplicates inside a split, a photographer's centre."""


def check(path: Path, layout: str) -> Findings:
    """Read every file once and report all problems. Raise DataError only if no data set is found."""
    # A folder that `loupe-train data tile` wrote says itself what it is.
    if layout == "pairs" or (path / FACTS).is_file():
        return _check_pairs(path)
    with folders.unpacked(path) as place:
        if layout in cifar.DATA_SETS:
            return _check_cifar(place, layout)
        if layout == "fmow":
            return _check_fmow(place)
        if layout in ("folders", "imagenet"):
            return _check_folders(place)
    raise DataError(
        f"The layout {layout!r} is unknown: choose folders, imagenet, cifar10, cifar100, fmow or pairs."
    )


def describe(findings: Findings) -> str:
    """Return the findings as text for the terminal."""
    lines = []
    for split in findings.splits:
        counts = split.by_class.values()
        total = sum(counts)
        text = f"{split.name}: {total:,} images, {len(counts)} classes"
        if counts:
            text += f", {min(counts):,} to {max(counts):,} images in each"
        if split.sides:
            smallest, median, largest = split.sides
            text += f"; sides {smallest} to {largest} px, median {median} px"
        lines.append(f"{text}.")
    lines += [f"Note: {sentence}" for sentence in findings.notes]
    if not findings.wrong:
        return "\n".join([*lines, "No problems were found."])
    more = len(findings.wrong) - SHOWN
    lines.append(f"Problems found: {len(findings.wrong)}.")
    lines += [f"  {sentence}" for sentence in findings.wrong[:SHOWN]]
    return "\n".join(lines + ([f"  {more} more problems are not shown."] if more > 0 else []))


def _check_folders(place: Path) -> Findings:
    train, test = folders.find_splits(place)
    wrong: list[str] = []
    splits, content = [], {}
    for folder in (train, test):
        by_class: dict[str, int] = {}
        files: list[Path] = []
        for name in folders.class_folders(folder):
            try:
                inside = folders.pictures_in(folder / name)
            # A reader would stop here; the check goes on, to report every problem in one run.
            except DataError as error:
                wrong.append(str(error))
                continue
            others = len(list((folder / name).iterdir())) - len(inside)
            if others:
                wrong.append(f"{folder / name} holds other files than pictures, which are ignored: {others}.")
            by_class[name] = len(inside)  # unreadable files count too: they are listed by themselves
            files += inside
        sides = _sides(_sizes(files, wrong).values())
        splits.append(Split(name=folder.name, by_class=by_class, sides=sides))
        # Always by content: the readers fall back to names and sizes on large data sets and miss copies.
        content[folder.name] = {file: folders.content_digest(file) for file in files}
    wrong += _in_both(content[train.name], content[test.name])
    return Findings(splits=tuple(splits), wrong=tuple(wrong + _classes(splits)))


def _sizes(files: list[Path], wrong: list[str]) -> dict[Path, tuple[int, int]]:
    """Return the width and height of every picture, and add those that cannot be decoded to `wrong`."""
    sizes = {}
    for file in tqdm(files, desc="reading", unit="file", mininterval=1.0, leave=False):
        try:
            sizes[file] = open_picture(file).size  # decodes in full: a cut-off file has a valid header
        except DataError as error:
            wrong.append(str(error))
    return sizes


def _sides(sizes: Iterable[tuple[int, int]]) -> tuple[int, int, int] | None:
    sides = [side for size in sizes for side in size]  # widths and heights alike
    return (min(sides), int(np.median(sides)), max(sides)) if sides else None


def _in_both(train: dict[Path, str], test: dict[Path, str]) -> list[str]:
    """Return a sentence for each test image that is also in train, where it could be memorised."""
    learnt = {digest: file for file, digest in train.items()}
    return [
        f"{file} is also in train, as {learnt[digest]}." for file, digest in test.items() if digest in learnt
    ]


def _classes(splits: list[Split]) -> list[str]:
    first, second = splits
    wrong = [
        f"The class {name} is only in {(first if name in first.by_class else second).name}."
        # A class that is in one split only cannot be both learnt and measured.
        for name in sorted(first.by_class.keys() ^ second.by_class.keys())
    ]
    return wrong + [
        f"The class {name} has {count} training image(s); provide at least {FEW}."
        for name, count in first.by_class.items()
        if count < FEW
    ]


def _check_cifar(place: Path, layout: str) -> Findings:
    kind = cifar.DATA_SETS[layout]
    root = cifar.find_root(place, kind)
    if wrong := cifar.file_problems(root, kind):  # torchvision must not unpickle a file that differs
        return Findings(splits=(), wrong=tuple(wrong))
    splits = []
    for name, train in (("train", True), ("test", False)):
        data = kind(str(root), train=train, download=False)
        counts = Counter(data.classes[label] for label in data.targets)
        side = data.data.shape[1]  # data is (N, H, W, 3) with H = W
        splits.append(Split(name=name, by_class=dict(counts), sides=(side, side, side)))
    return Findings(splits=tuple(splits), wrong=())


def _check_fmow(place: Path) -> Findings:
    wrong: list[str] = []
    splits = []
    for name, train in (("train", True), ("test", False)):
        objects, broken = fmow.list_objects(place, train=train)
        wrong += broken  # files that name no usable box; the loop below needs a box
        counts = Counter(item.category for item in objects)
        # A set: a picture with several boxes is decoded once.
        sizes = _sizes(sorted({item.picture for item in objects if item.picture.is_file()}), wrong)
        wrong += [
            f"The box {item.box} of {item.picture} reaches outside the picture."
            for item in objects
            if item.picture in sizes and fmow.reaches_outside(item.box, *sizes[item.picture])
        ]
        splits.append(Split(name=name, by_class=dict(counts), sides=_sides(sizes.values())))
    return Findings(splits=tuple(splits), wrong=tuple(wrong + _classes(splits)))


def _check_pairs(path: Path) -> Findings:
    # GDAL is not on every machine that trains.
    from training.data import check_tiles, pairs  # noqa: PLC0415  (as just said)

    file = pairs.find_csv(path)
    rows, wrong = pairs.list_rows(file)
    readable = []
    for number, row in enumerate(rows, start=2):  # line 1 is the header
        lr, hr = file.parent / row["lr"], file.parent / row["hr"]
        if lr.is_file() and hr.is_file():  # list_rows already reported those that are missing
            try:
                pairs.check_pair(lr, hr)
                readable.append(row)
            except DataError as error:
                wrong.append(f"{file}, line {number}: {error}")
    if (file.parent / FACTS).is_file():
        wrong += _object_scenes(file.parent)
    leaks, notes = check_tiles.check_tiles(file, readable) if readable else ([], [])
    splits = [
        Split(
            name=name,
            by_class=dict(Counter(row["label"] for row in rows if row["split"] == name)),
            sides=None,  # GeoTIFF pairs may differ in size: check_pair compares their ground instead
        )
        for name in pairs.SPLITS
    ]
    return Findings(splits=tuple(splits), wrong=(*wrong, *leaks, *_classes(splits)), notes=tuple(notes))


def _object_scenes(folder: Path) -> list[str]:
    """Return why scenes with objects cannot be read: `pairs` knows no validation sites, their table does."""
    try:
        read_object_scenes(folder)
    except DataError as error:
        return [str(error)]
    return []
