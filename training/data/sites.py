"""The sites of scenes, and the split of each site: a place is learnt from or measured on, not both."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from training.data.footprints import SceneFile
from training.data.images import DataError
from training.data.object_scenes import Place, check_sites

SPLIT_NAMES = ("train", "validation", "test")
TEST_SHARE, VALIDATION_SHARE = 0.25, 0.125
"""Shares of the sites that are tested and validated on, if nobody says which."""


def place_scenes(scenes: Sequence[SceneFile], file: Path | None, seed: int) -> dict[str, Place]:
    """Give every scene its site and its split: those of a CSV, or by overlap and at random.

    Raise DataError if a scene is missing in the CSV, or if a site would be in two splits.
    """
    if file is None:
        return draw_splits(sites_by_overlap(scenes), seed)
    places = read_places(file)
    if missing := sorted({scene.name for scene in scenes} - places.keys()):
        raise DataError(f"{file} gives no site for these scenes: {', '.join(missing[:20])}.")
    given = {scene.name: places[scene.name] for scene in scenes}
    if all(place.split for place in given.values()):
        return given
    if any(place.split for place in given.values()):
        raise DataError(f"{file} gives some scenes a split and others none: give all of them one, or none.")
    drawn = draw_splits({name: place.site for name, place in given.items()}, seed)
    return {name: replace(drawn[name], fold=place.fold) for name, place in given.items()}


def read_places(file: Path) -> dict[str, Place]:
    """Read site and split of each scene from a CSV with the columns scene,site,split[,fold].

    Raise DataError naming the first line that cannot be used, or a site that is in two splits.
    """
    with file.open(newline="") as content:
        reader = csv.DictReader(content)
        if not {"scene", "site"} <= set(reader.fieldnames or ()):
            raise DataError(f"{file} does not have the columns scene,site (and split, fold).")
        rows = list(reader)
    places = {}
    for number, row in enumerate(rows, start=2):  # line 1 is the header
        split = {"val": "validation"}.get(row.get("split") or "", row.get("split") or "")
        if split and split not in SPLIT_NAMES:
            raise DataError(
                f"{file}, line {number}: the split {split!r} is none of {', '.join(SPLIT_NAMES)}."
            )
        places[Path(row["scene"]).stem] = Place(site=row["site"], split=split, fold=row.get("fold") or "")
    check_sites(places.values())
    return places


def draw_splits(sites: Mapping[str, str], seed: int) -> dict[str, Place]:
    """Draw the split of every site: a quarter to test on, an eighth to validate on."""
    names = sorted(set(sites.values()))
    if len(names) < 3:
        raise DataError(f"{len(names)} site(s) cannot be divided into three splits: at least 3 are needed.")
    order = np.random.default_rng(seed).permutation(len(names))
    test = max(1, round(TEST_SHARE * len(names)))
    validation = max(1, round(VALIDATION_SHARE * len(names)))
    split = {
        names[at]: "test" if rank < test else "validation" if rank < test + validation else "train"
        for rank, at in enumerate(order)
    }
    return {scene: Place(site=site, split=split[site]) for scene, site in sites.items()}


def sites_by_overlap(scenes: Sequence[SceneFile]) -> dict[str, str]:
    """Give overlapping scenes the same site, through any chain of overlaps. A picture is its own site."""
    site = {scene.name: scene.name for scene in scenes}
    for number, one in enumerate(scenes):
        for other in scenes[:number]:
            if one.bounds and other.bounds and _overlap(one.bounds, other.bounds):
                joined, kept = site[one.name], site[other.name]
                site = {name: kept if place == joined else place for name, place in site.items()}
    return site


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    west, south, east, north = one
    other_west, other_south, other_east, other_north = other
    return west < other_east and other_west < east and south < other_north and other_south < north
