"""The reader of fMoW-rgb: pictures with bounding boxes in a JSON beside each, or in one CSV per split.

The layout is <split>/<class>/<place>/<name>_rgb.jpg with <name>_rgb.json; the splits are train, val and test.
The JSON's `bounding_boxes` hold `category` and `box` = [x, y, width, height] in pixels. If the
folder holds train.csv and test.csv (or val.csv), the columns image, category, x, y, width and height of
these are read instead.

The box is widened by context as in the fMoW paper (Christie et al., CVPR 2018, section 4: more context for
small boxes) and its published baseline (fMoW/baseline, dataFunctions.py), then squared about its centre as
far as the picture allows. False detections are left out, which leaves the 62 classes of the PatchDrop paper;
boxes of at most 2 pixels are left out as in the baseline. If the boxes of `test` have no category, because
they were withheld for a competition, `val` is the test split.
"""

import csv
import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.data.images import DataError, StreamedImages, listed
from training.data.pictures import Box, open_picture, two_resolutions

BOX_COLUMNS = ("image", "category", "x", "y", "width", "height")
NO_CLASS = "false_detection"
SMALLEST_BOX = 2
"""Boxes whose shorter side has at most this many pixels are left out."""
CONTEXT = ((0.1, 2.0), (0.2, 1.0), (0.3, 0.5), (0.4, 0.3), (0.5, 0.2))
"""Pairs (share, context): a side below this share of the picture's grows by `context` times its length."""
LEAST_CONTEXT = 0.15
"""Context of all longer sides."""


@dataclass(frozen=True)
class Object:
    """A labelled box in a picture."""

    picture: Path
    category: str
    box: tuple[float, float, float, float]
    """x, y, width and height in pixels."""

    @property
    def counts(self) -> bool:
        """Whether the box belongs to the data set: it has a class and is not too small."""
        return self.category != NO_CLASS and min(self.box[2:]) > SMALLEST_BOX

    @property
    def site(self) -> str:
        """The place on the ground, named by its folder; the picture itself if the folder names no place."""
        # Several dates of one building share a folder, and must not be split between train and validation.
        place = self.picture.parent
        return str(place if place.parent.name == self.category else self.picture)


def read_fmow(folder: Path, *, train: bool, hr_size: int, lr_size: int) -> StreamedImages:
    """Read one split, with one image per box.

    Raise DataError naming every JSON file or CSV row that cannot be used.
    """
    objects, broken = list_objects(folder, train=train)
    if broken:
        raise DataError(listed(broken))
    classes = tuple(sorted({item.category for item in objects}))
    if len(classes) < 2:
        raise DataError(f"{folder} holds boxes of fewer than two classes.")
    # StreamedImages passes strings to `decode`, so the box travels as JSON.
    names = [(item.picture, json.dumps(item.box)) for item in objects]
    return StreamedImages(
        files=tuple(names),
        decode=partial(_decode, hr_size, lr_size),
        labels=torch.tensor([classes.index(item.category) for item in objects]),
        classes=classes,
        # By name and box, not by content: fMoW is too large to read twice.
        digests=tuple(
            hashlib.sha256(f"{file.relative_to(folder)} {box}".encode()).hexdigest() for file, box in names
        ),
        sites=tuple(item.site for item in objects),
    )


def list_objects(folder: Path, *, train: bool) -> tuple[list[Object], list[str]]:
    """Return the objects of a split, sorted by file, and a sentence for each problem."""
    for name in ("train",) if train else ("test", "val"):
        if (folder / f"{name}.csv").is_file():
            return _from_csv(folder / f"{name}.csv")
        if (folder / name).is_dir() and (name != "test" or _has_categories(folder / name)):
            return _from_json(folder / name)
    raise DataError(f"{folder} holds no {'train' if train else 'labelled test or val'} folder or CSV.")


def _has_categories(folder: Path) -> bool:
    first = min(folder.rglob("*_rgb.json"), default=None)  # the withheld split lacks them in every file
    return first is not None and '"category"' in first.read_text()


def reaches_outside(box: tuple[float, float, float, float], width: int, height: int) -> bool:
    """Return whether part of a box lies outside its picture of width x height pixels."""
    x, y, w, h = box
    return x < 0 or y < 0 or x + w > width or y + h > height


def with_context(box: tuple[float, float, float, float], width: int, height: int) -> Box:
    """Return the square crop around a box with its context, kept inside a picture of width x height."""
    x, y, w, h = box
    # Each side grows by the context of its own share of the picture, as in the published baseline.
    grown_w = w * (1 + _context(w / width))
    grown_h = h * (1 + _context(h / height))
    side = min(max(grown_w, grown_h), width, height)  # a square larger than the picture cannot be cut
    # Centred on the box, then shifted back inside the picture.
    left = min(max(x + w / 2 - side / 2, 0), width - side)
    top = min(max(y + h / 2 - side / 2, 0), height - side)
    return left, top, left + side, top + side


def _context(share: float) -> float:
    return next((context for limit, context in CONTEXT if share < limit), LEAST_CONTEXT)


def _from_json(folder: Path) -> tuple[list[Object], list[str]]:
    objects: list[Object] = []
    broken: list[str] = []
    for file in sorted(folder.rglob("*_rgb.json")):
        picture = file.with_suffix(".jpg")
        if not picture.is_file():
            broken.append(f"{file} has no picture {picture.name} beside it.")
            continue
        try:
            boxes = json.loads(file.read_text())["bounding_boxes"]
            objects += [Object(picture, str(b["category"]), _box(b["box"])) for b in _as_list(boxes)]
        except (ValueError, KeyError, TypeError) as error:
            broken.append(f"{file} has no readable bounding_boxes: {error!r}.")
    return [item for item in objects if item.counts], broken


def _from_csv(file: Path) -> tuple[list[Object], list[str]]:
    objects: list[Object] = []
    broken: list[str] = []
    with file.open(newline="") as content:
        rows = csv.DictReader(content)
        if tuple(rows.fieldnames or ()) != BOX_COLUMNS:
            raise DataError(f"{file} does not have the columns {','.join(BOX_COLUMNS)}.")
        for number, row in enumerate(rows, start=2):  # line 1 is the header
            picture = file.parent / row["image"]
            try:
                item = Object(picture, row["category"], _box([row[name] for name in BOX_COLUMNS[2:]]))
            except (ValueError, TypeError) as error:
                broken.append(f"{file}, line {number}: {error}.")
                continue
            if not picture.is_file():  # noted, not skipped: the row still counts in `data check`
                broken.append(f"{file}, line {number}: {picture} is missing.")
            objects.append(item)
    return [item for item in objects if item.counts], broken


def _as_list(boxes: Any) -> list[Any]:
    return boxes if isinstance(boxes, list) else [boxes]  # files with one box may hold it without a list


def _box(values: Any) -> tuple[float, float, float, float]:
    x, y, width, height = (float(value) for value in values)
    return x, y, width, height


def _decode(hr_size: int, lr_size: int, file: Path, box: str) -> tuple[Tensor, Tensor]:
    picture = open_picture(file)
    x, y, width, height = json.loads(box)
    if reaches_outside((x, y, width, height), *picture.size):  # PIL would fill the outside with black
        raise DataError(f"The box {box} of {file} reaches outside the picture.")
    return two_resolutions(picture, hr_size, lr_size, with_context((x, y, width, height), *picture.size))
