"""The reader of scenes with objects, which `loupe-train data tile` wrote. It needs no GDAL."""

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.boxes import Centres, counts_of
from training.data.images import DataError
from training.data.pictures import as_tensor, open_picture

FACTS = "dataset.json"
"""File of the choices that made a data set."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """The site of a scene, and the split that it belongs to."""

    site: str
    split: str
    fold: str = ""
    """Fold for cross-validation by site, if the user gave one."""


def check_sites(places: Iterable[Place]) -> None:
    """Raise DataError if a site is in two splits: what is measured there would have been learnt."""
    splits: dict[str, set[str]] = {}
    for place in places:
        splits.setdefault(place.site, set()).add(place.split)
    if shared := sorted(site for site, found in splits.items() if len(found) > 1):
        raise DataError(f"These sites are in more than one split: {', '.join(shared[:20])}.")


@dataclass(frozen=True, kw_only=True)
class ObjectScene:
    """One scene of the data set, with its objects. Pixels are read when asked for."""

    name: str
    site: str
    split: str
    fold: str
    columns: int
    rows: int
    centres: Centres
    """Column and row (N, 2) in tiles, from the upper left corner."""
    sizes: Centres
    """Width and height (N, 2) in tiles; 0 where only a point is known."""
    turns: tuple[int, ...]
    """Symmetry by which each tile is turned, row by row."""
    folder: Path

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of objects in each patch (4 * rows, 4 * columns)."""
        return counts_of(self.centres, self.columns, self.rows)

    def lr(self) -> torch.Tensor:
        """Return the LR pixels as uint8 (3, rows * lr_size, columns * lr_size)."""
        return as_tensor(open_picture(self.folder / "lr" / f"{self.name}.tif"))

    def hr(self) -> torch.Tensor:
        """Return the HR pixels as uint8 (3, rows * hr_size, columns * hr_size)."""
        return as_tensor(open_picture(self.folder / "hr" / f"{self.name}.tif"))


@dataclass(frozen=True, kw_only=True)
class ObjectScenes:
    """A data set of scenes with objects."""

    facts: Mapping[str, Any]
    """The content of `dataset.json`."""
    scenes: tuple[ObjectScene, ...]

    def of(self, *splits: str) -> tuple[ObjectScene, ...]:
        """Return the scenes of some splits."""
        return tuple(scene for scene in self.scenes if scene.split in splits)

    @property
    def digest(self) -> str:
        """The sha256 over the rows of scenes and objects, which identifies what was learnt."""
        lines = [f"{one.name} {one.site} {one.split} {one.centres.tolist()}" for one in self.scenes]
        # Data sets without sizes keep the digest that they had before there were any.
        lines += [f"{one.name} {one.sizes.tolist()}" for one in self.scenes if one.sizes.any()]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_object_scenes(folder: Path) -> ObjectScenes:
    """Read a data set that `loupe-train data tile` wrote.

    Raise DataError if the folder holds none, or if a site is in two splits.
    """
    if not (folder / FACTS).is_file():
        raise DataError(f"{folder} holds no {FACTS}: make the data set with `loupe-train data tile`.")
    facts = json.loads((folder / FACTS).read_text())
    boxes: dict[str, list[list[float]]] = {}
    for row in _rows(folder / "objects.csv"):
        # Data sets of earlier versions have no sizes.
        box = [float(row.get(name, 0)) for name in ("x_m", "y_m", "width_m", "height_m")]
        boxes.setdefault(row["scene"], []).append(box)
    placed = {
        name: np.array(found, np.float64).reshape(-1, 4) / facts["tile_m"] for name, found in boxes.items()
    }
    none = np.empty((0, 4))
    turns: dict[str, list[int]] = {}
    for row in _rows(folder / "pairs.csv"):
        turns.setdefault(Path(row["hr"]).stem, []).append(int(row["turn"]))
    scenes = tuple(
        ObjectScene(
            name=row["scene"],
            site=row["site"],
            split=row["split"],
            fold=row["fold"],
            columns=int(row["columns"]),
            rows=int(row["rows"]),
            centres=placed.get(row["scene"], none)[:, :2],
            sizes=placed.get(row["scene"], none)[:, 2:],
            turns=tuple(turns[row["scene"]]),
            folder=folder,
        )
        for row in _rows(folder / "scenes.csv")
    )
    check_sites(Place(site=scene.site, split=scene.split) for scene in scenes)
    return ObjectScenes(facts=facts, scenes=scenes)


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with file.open(newline="") as content:
        yield from csv.DictReader(content)
