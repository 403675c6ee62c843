"""The readers of annotated objects: CSV, COCO or GeoJSON to the boxes of the objects of each scene."""

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID
from training.data.images import DataError

Centres = NDArray[np.float64]
"""Centres of objects (N, 2): column and row, from the upper left corner of a scene."""
Boxes = NDArray[np.float64]
"""Objects (N, 4): centre as in Centres, width and height; the last two are 0 if only a point is known."""

BOX_COLUMNS = ("scene", "x0", "y0", "x1", "y1")
_Box = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Objects:
    """Annotated objects, either by scene in pixels or as places on the ground."""

    by_scene: Mapping[str, Boxes]
    """Boxes by name of the scene, without its suffix."""
    placed: Boxes | None = None
    """Boxes in degrees, by longitude and latitude, of objects that name no scene."""
    doubts: tuple[str, ...] = ()
    """A sentence for each object that was read and looks wrong."""


def read_objects(file: Path) -> Objects:
    """Read the boxes of annotated objects.

    A CSV has the columns scene,x0,y0,x1,y1 in pixels. COCO is JSON with `images` and `annotations`. GeoJSON
    features have geometries in EPSG:4326 (RFC 7946). A point is a box without a size.
    Raise DataError naming the first line or feature that cannot be read.
    """
    if file.suffix.lower() == ".csv":
        return _from_csv(file)
    try:
        document = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{file} is neither a CSV nor readable JSON: {error}.") from error
    if isinstance(document, dict) and "annotations" in document:
        return Objects(by_scene=_from_coco(file, document))
    if isinstance(document, dict) and document.get("type") == "FeatureCollection":
        return Objects(by_scene={}, placed=_from_geojson(file, document["features"]))
    raise DataError(f"{file} is neither COCO (`images`, `annotations`) nor a GeoJSON FeatureCollection.")


def _from_csv(file: Path) -> Objects:
    doubts = []
    with file.open(newline="") as content:
        reader = csv.DictReader(content)
        if not set(BOX_COLUMNS) <= set(reader.fieldnames or ()):
            raise DataError(f"{file} does not have the columns {','.join(BOX_COLUMNS)}.")
        found: dict[str, list[_Box]] = defaultdict(list)
        for number, row in enumerate(reader, start=2):  # line 1 is the header
            try:
                x0, y0, x1, y1 = (float(row[name]) for name in BOX_COLUMNS[1:])
            except (TypeError, ValueError) as error:
                raise DataError(f"{file}, line {number}: the box is not four numbers.") from error
            if x0 > x1 or y0 > y1:
                doubts.append(f"{file}, line {number}: the box ends before it begins; its centre counts.")
            found[Path(row["scene"]).stem].append(_between(x0, y0, x1, y1))
    return Objects(by_scene=_arrays(found), doubts=tuple(doubts))


def _from_coco(file: Path, document: Mapping[str, Any]) -> dict[str, Boxes]:
    try:
        names = {image["id"]: Path(image["file_name"]).stem for image in document["images"]}
        found: dict[str, list[_Box]] = defaultdict(list)
        for one in document["annotations"]:
            x, y, width, height = (float(value) for value in one["bbox"])
            found[names[one["image_id"]]].append((x + width / 2, y + height / 2, width, height))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file} is not a COCO file with boxes: {error!r}.") from error
    return _arrays(found)


def _from_geojson(file: Path, features: Iterable[Mapping[str, Any]]) -> Boxes:
    boxes = []
    for number, feature in enumerate(features, start=1):
        try:
            points = np.array(list(_points(feature["geometry"]["coordinates"])), np.float64)
            boxes.append(_between(*points.min(axis=0), *points.max(axis=0)))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{file}, feature {number}: it has no coordinates.") from error
    return np.array(boxes, np.float64).reshape(-1, 4)


def _points(coordinates: Any) -> Iterable[tuple[float, float]]:
    """Yield longitude and latitude of every vertex of a geometry of any type."""
    if isinstance(coordinates[0], (int, float)):
        yield float(coordinates[0]), float(coordinates[1])
        return
    for part in coordinates:
        yield from _points(part)


def _between(x0: float, y0: float, x1: float, y1: float) -> _Box:
    return (x0 + x1) / 2, (y0 + y1) / 2, abs(x1 - x0), abs(y1 - y0)


def _arrays(found: Mapping[str, list[_Box]]) -> dict[str, Boxes]:
    return {scene: np.array(boxes, np.float64) for scene, boxes in found.items()}


def counts_of(centres: Centres, columns: int, rows: int) -> NDArray[np.int64]:
    """Count the objects of each patch by their centres, over the scene: (4 * rows, 4 * columns)."""
    counts = np.zeros((GRID * rows, GRID * columns), np.int64)
    column, row = np.floor(centres * GRID).astype(np.int64).T
    np.add.at(counts, (row, column), 1)
    return counts
