"""Checks of tiles with LR and HR rasters: leaks between splits, near duplicates, a photographer's centre."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from models.grid import GRID, PATCHES
from models.symmetry import dihedral_patches
from training.data.duplicates import SIDE, Thumbnails, hashes, listed_pairs, near_duplicates
from training.data.framing import Framing, framing
from training.data.pairs import PairRow, counts_in, rgb_bands, tile_window, to_uint8

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Looked:
    """Properties of the tiles of a data set that are compared."""

    names: tuple[str, ...]
    splits: NDArray[np.str_]
    bounds: Numbers
    """West, south, east and north in degrees (N, 4); not a number where a raster has no place on Earth."""
    thumbnails: Thumbnails
    """Grey HR pixels (N, SIDE, SIDE)."""


def check_tiles(file: Path, rows: Sequence[PairRow]) -> tuple[list[str], list[str]]:
    """Return a sentence for each leak between the splits of readable pairs, and others to take note of."""
    looked = _look(file, rows)
    train, test = (np.flatnonzero(looked.splits == split) for split in ("train", "test"))
    leaks = [*_overlaps(looked, train, test), *_twins(looked, train, test)]
    notes = [sentence for split in (train, test) for sentence in _repeated(looked, split)]
    if "counts" in rows[0] and (found := framing_of(file, rows)):
        notes += describe_framing(found)
    return leaks, notes


def _look(file: Path, rows: Sequence[PairRow]) -> Looked:
    bounds, thumbnails = [], []
    for row in rows:
        with rasterio.open(file.parent / row["hr"]) as raster:
            window = tile_window(raster, row)
            shape = (3, SIDE, SIDE)
            values = raster.read(
                rgb_bands(raster), window=window, out_shape=shape, resampling=Resampling.average
            )
            thumbnails.append(to_uint8(values).mean(0))
            bounds.append(_degrees(raster, window))
    return Looked(
        names=tuple(_name(row) for row in rows),
        splits=np.array([row["split"] for row in rows]),
        bounds=np.array(bounds),
        thumbnails=np.stack(thumbnails),
    )


def _degrees(raster: rasterio.DatasetReader, window: Window) -> tuple[float, ...]:
    if not (raster.crs.is_projected or raster.crs.is_geographic):
        return (np.nan,) * 4  # the metres of a picture say nothing about another picture
    left, top = raster.transform @ (window.col_off, window.row_off)
    right, bottom = raster.transform @ (window.col_off + window.width, window.row_off + window.height)
    west, south, east, north = transform_bounds(raster.crs, "EPSG:4326", left, bottom, right, top)
    return west, south, east, north


def _name(row: PairRow) -> str:
    place = f" at {row['left_m']} m, {row['top_m']} m" if "left_m" in row else ""
    return f"{row['hr']}{place}"


def _overlaps(looked: Looked, train: NDArray[np.int64], test: NDArray[np.int64]) -> list[str]:
    """Return a sentence for each file of test whose tiles overlap those of a file of train."""
    one, other = looked.bounds[train][:, None], looked.bounds[test][None]
    # A tenth of a tile: tiles that only touch, or overlap by rounding, show no common ground.
    width = 0.1 * np.minimum(one[..., 2:] - one[..., :2], other[..., 2:] - other[..., :2])
    common = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    found = np.argwhere((common > width).all(-1))
    pairs = {_files(looked, test[j], train[i]) for i, j in found}
    return listed_pairs(sorted(pairs), "show the same ground in test and in train")


def _twins(looked: Looked, train: NDArray[np.int64], test: NDArray[np.int64]) -> list[str]:
    """Return a sentence for each file of test that nearly equals one of train."""
    found = near_duplicates(hashes(looked.thumbnails[test]), hashes(looked.thumbnails[train]))
    pairs = {_files(looked, test[i], train[j]) for i, j in found}
    return listed_pairs(sorted(pairs), "are nearly the same picture in test and in train")


def _repeated(looked: Looked, split: NDArray[np.int64]) -> list[str]:
    """Return a sentence for each pair of tiles of a split that are nearly the same."""
    own = hashes(looked.thumbnails[split])
    pairs = [(looked.names[split[i]], looked.names[split[j]]) for i, j in near_duplicates(own, own)]
    return listed_pairs(pairs, "are nearly the same picture")


def _files(looked: Looked, one: int, other: int) -> tuple[str, str]:
    # By file, not by tile: a scene under two names would fill pages.
    return looked.names[one].split(" at ")[0], looked.names[other].split(" at ")[0]


def framing_of(file: Path, rows: Sequence[PairRow]) -> Framing | None:
    """Measure where the objects of tiles with counts lie, in their tiles as served and in their scenes."""
    counts = np.array([counts_in(row) for row in rows], np.float64)
    sites = [row.get("site") or row["hr"] for row in rows]
    return framing(counts, sites, _places(file, rows) if "left_m" in rows[0] else None)


def _places(file: Path, rows: Sequence[PairRow]) -> Numbers:
    """Return the middle of each patch as served (N, 16, 2): column and row as shares of its scene."""
    patches = torch.arange(PATCHES)
    # Column-major: the row of a patch is its index modulo 4.
    middles = torch.stack([patches // GRID, patches % GRID]).add(0.5).div(GRID)
    sizes = {name: _metres(file.parent / name) for name in {row["hr"] for row in rows}}
    places = []
    for row in rows:
        inside = dihedral_patches(middles, int(row["turn"])).T.numpy()  # (2, 16) -> (16, 2)
        corner = np.array([float(row["left_m"]), float(row["top_m"])])
        places.append((corner + float(row["side_m"]) * inside) / sizes[row["hr"]])
    return np.stack(places)


def _metres(file: Path) -> Numbers:
    """Return width and height of a raster in metres."""
    with rasterio.open(file) as raster:
        metres = raster.crs.linear_units_factor[1] if raster.crs.is_projected else 1.0
        sides: Numbers = metres * np.array(raster.res) * (raster.width, raster.height)
        return sides


def describe_framing(found: Framing) -> list[str]:
    """Return where the objects lie, and whether a fixed order of patches would profit from it."""
    least, most = 100 * found.tile.min(), 100 * found.tile.max()
    sentences = [f"The patches of a tile, as served, hold {least:.1f} to {most:.1f} % of the objects each."]
    if found.scene is not None:
        middle, corners = found.scene[1:3, 1:3].sum(), found.scene[::3, ::3].sum()
        sentences.append(
            f"Of 4 x 4 parts of a scene, the four in the middle hold {100 * middle:.0f} % of the objects and "
            f"the four corners {100 * corners:.0f} %."
        )
    share = (
        f"{100 * found.found:.1f} % of the objects, at least {100 * found.low:.1f} % with 97.5 % confidence"
    )
    sentences.append(
        f"Photographer's centre: the four patches that hold most at other sites find {share}. "
        "A policy must be compared with such a fixed order; --tile-m below the size of a scene avoids it."
        if found.fixed_order_profits
        else f"No fixed order profits: the four patches that hold most at other sites find {share}; "
        "a quarter is chance."
    )
    return sentences
