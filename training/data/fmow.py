"""fMoW-rgb: pictures with bounding boxes in a JSON beside each, or in one CSV per split.

Layout: <split>/<class>/<place>/<name>_rgb.jpg with <name>_rgb.json, splits train, val and test. The JSON's
`bounding_boxes` hold `category` and `box` = [x, y, width, height] in pixels. With train.csv and test.csv
(or val.csv) in the folder, their columns image, category, x, y, width, height are read instead.

The box is widened by context as in the fMoW paper (Christie et al., CVPR 2018, section 4: more context for
small boxes) and its published baseline (fMoW/baseline, dataFunctions.py), then squared about its centre as
far as the picture allows. False detections are left out: the 62 classes, as in the PatchDrop paper; so are
boxes of at most 2 pixels, as in the baseline. Where the boxes of `test` have no category, which were kept
for a competition, `val` is what is tested on.
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

COLUMNS = ("image", "category", "x", "y", "width", "height")
NO_CLASS = "false_detection"
SMALLEST_BOX = 2
CONTEXT = ((0.1, 2.0), (0.2, 1.0), (0.3, 0.5), (0.4, 0.3), (0.5, 0.2))
"""A box narrower than this share of the picture is widened by so many times its width; others by 0.15."""
LEAST_CONTEXT = 0.15


@dataclass(frozen=True)
class Object:
    """One labelled box of one picture."""

    picture: Path
    category: str
    box: tuple[float, float, float, float]
    """x, y, width, height"""

    @property
    def counts(self) -> bool:
        """Whether there is something in it to learn."""
        return self.category != NO_CLASS and min(self.box[2:]) > SMALLEST_BOX

    @property
    def site(self) -> str:
        """The place that its folder is named after, several dates of one building, or the picture alone."""
        place = self.picture.parent
        return str(place if place.parent.name == self.category else self.picture)


def read_fmow(folder: Path, *, train: bool, hr_size: int, lr_size: int) -> StreamedImages:
    """One split, an image per box. DataError names every JSON or row that cannot be used."""
    objects, broken = list_objects(folder, train=train)
    if broken:
        raise DataError(listed(broken))
    classes = tuple(sorted({item.category for item in objects}))
    if len(classes) < 2:
        raise DataError(f"{folder} holds boxes of fewer than two classes")
    names = [(item.picture, json.dumps(item.box)) for item in objects]
    return StreamedImages(
        files=tuple(names),
        decode=partial(_decode, hr_size, lr_size),
        labels=torch.tensor([classes.index(item.category) for item in objects]),
        classes=classes,
        digests=tuple(
            hashlib.sha256(f"{file.relative_to(folder)} {box}".encode()).hexdigest() for file, box in names
        ),
        sites=tuple(item.site for item in objects),
    )


def list_objects(folder: Path, *, train: bool) -> tuple[list[Object], list[str]]:
    """The objects of a split, sorted by file, and what is wrong, a sentence each."""
    for name in ("train",) if train else ("test", "val"):
        if (folder / f"{name}.csv").is_file():
            return _from_csv(folder / f"{name}.csv")
        if (folder / name).is_dir() and (name != "test" or _has_categories(folder / name)):
            return _from_json(folder / name)
    raise DataError(f"{folder} holds no {'train' if train else 'labelled test or val'} folder or CSV")


def _has_categories(folder: Path) -> bool:
    first = min(folder.rglob("*_rgb.json"), default=None)
    return first is not None and '"category"' in first.read_text()


def reaches_outside(box: tuple[float, float, float, float], width: int, height: int) -> bool:
    """Whether part of a box is not in its picture of width x height."""
    x, y, w, h = box
    return x < 0 or y < 0 or x + w > width or y + h > height


def with_context(box: tuple[float, float, float, float], width: int, height: int) -> Box:
    """The square (as far as the picture of width x height reaches) to look at for a box."""
    x, y, w, h = box
    grown_w = w * (1 + _context(w / width))
    grown_h = h * (1 + _context(h / height))
    side = min(max(grown_w, grown_h), width, height)
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
            broken.append(f"{file} has no picture {picture.name} beside it")
            continue
        try:
            boxes = json.loads(file.read_text())["bounding_boxes"]
            objects += [Object(picture, str(b["category"]), _box(b["box"])) for b in _as_list(boxes)]
        except (ValueError, KeyError, TypeError) as error:
            broken.append(f"{file} has no readable bounding_boxes: {error!r}")
    return [item for item in objects if item.counts], broken


def _from_csv(file: Path) -> tuple[list[Object], list[str]]:
    objects: list[Object] = []
    broken: list[str] = []
    with file.open(newline="") as content:
        rows = csv.DictReader(content)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise DataError(f"{file} does not have the columns {','.join(COLUMNS)}")
        for number, row in enumerate(rows, start=2):
            picture = file.parent / row["image"]
            try:
                item = Object(picture, row["category"], _box([row[name] for name in COLUMNS[2:]]))
            except (ValueError, TypeError) as error:
                broken.append(f"{file} line {number}: {error}")
                continue
            if not picture.is_file():
                broken.append(f"{file} line {number}: {picture} is missing")
            objects.append(item)
    return [item for item in objects if item.counts], broken


def _as_list(boxes: Any) -> list[Any]:
    return boxes if isinstance(boxes, list) else [boxes]


def _box(values: Any) -> tuple[float, float, float, float]:
    x, y, width, height = (float(value) for value in values)
    return x, y, width, height


def _decode(hr_size: int, lr_size: int, file: Path, box: str) -> tuple[Tensor, Tensor]:
    picture = open_picture(file)
    x, y, width, height = json.loads(box)
    if reaches_outside((x, y, width, height), *picture.size):
        raise DataError(f"{file}: its box {box} reaches outside the picture")
    return two_resolutions(picture, hr_size, lr_size, with_context((x, y, width, height), *picture.size))
