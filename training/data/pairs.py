"""The reader of your own data: a CSV of labelled pairs of LR and HR GeoTIFFs of the same ground.

The columns are lr, hr, label and split (train or test); paths are relative to the CSV. Each pair is one tile.
Optional columns: `site`, the place that a tile shows, which no two splits may share; `counts`, the number of
objects in each of the 16 patches, separated by spaces; `left_m`, `top_m` and `side_m`, a square of
the rasters in metres from their upper left corner; `turn`, the symmetry (0 to 7) by which it is turned.
Pixels are scaled to 0..255 as in the service (docs/inputs.md): uint8 stays as it is; reflectance, stored as
0..1 or times 10,000, is scaled so that 0.3558, the white of ESA's true-colour images, becomes 255.
"""

import csv
import hashlib
import json
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.warp import transform_bounds
from rasterio.windows import Window
from torch import Tensor

from models.grid import PATCHES
from models.preprocess import downsample
from models.reflectance import QUANTIFICATION, WHITE_REFLECTANCE
from models.symmetry import dihedral
from training.data.folders import content_digest
from training.data.images import DataError, StreamedImages, listed

PAIR_COLUMNS = ("lr", "hr", "label", "split")
WINDOW_COLUMNS = ("left_m", "top_m", "side_m", "turn")
MORE_COLUMNS = ("site", "counts", *WINDOW_COLUMNS)
SPLITS = ("train", "test")
LARGEST_REFLECTANCE = 2.0
"""Largest value of a file that holds reflectance itself; larger values are reflectance times 10,000."""
LEAST_VALID = 0.9
"""Smallest share of valid pixels in a usable file."""
RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)

PairRow = dict[str, str]


def read_pairs(path: Path, *, train: bool, hr_size: int, lr_size: int) -> StreamedImages:
    """Read one split. Raise DataError naming every CSV line that cannot be used, with its problem."""
    file = find_csv(path)
    rows, broken = list_rows(file)
    if broken:
        raise DataError(listed(broken))
    # Over both splits, so that a label is the same number in either.
    classes = tuple(sorted({row["label"] for row in rows}))
    if len(classes) < 2:
        raise DataError(f"{file} holds fewer than two labels.")
    wanted = [row for row in rows if row["split"] == ("train" if train else "test")]
    if not wanted:
        raise DataError(f"{file} has no row of the split {'train' if train else 'test'}.")
    return StreamedImages(
        # HR is the file of a streamed image; the name of its LR file and its window are the part, as JSON.
        files=tuple((file.parent / row["hr"], _part(row)) for row in wanted),
        decode=partial(_decode, file.parent, hr_size, lr_size),
        labels=torch.tensor([classes.index(row["label"]) for row in wanted]),
        classes=classes,
        digests=_digests(file.parent, wanted),
        sites=tuple(row["site"] for row in wanted) if "site" in wanted[0] else (),
        counts=torch.tensor([counts_in(row) for row in wanted]) if "counts" in wanted[0] else None,
    )


def find_csv(path: Path) -> Path:
    """Return `path` if it is a file, else pairs.csv or the only CSV in the folder. DataError without one."""
    if path.is_file():
        return path
    if (path / "pairs.csv").is_file():
        return path / "pairs.csv"
    found = sorted(path.glob("*.csv"))
    if len(found) != 1:
        raise DataError(f"{path} holds {len(found)} CSV files: pass the path of the one with the pairs.")
    return found[0]


def list_rows(file: Path) -> tuple[list[PairRow], list[str]]:
    """Return the rows of a CSV, and a sentence for each problem with one."""
    broken = []
    with file.open(newline="") as content:
        reader = csv.DictReader(content)
        given = set(reader.fieldnames or ())
        if not set(PAIR_COLUMNS) <= given:
            raise DataError(f"{file} does not have the columns {','.join(PAIR_COLUMNS)}.")
        if unknown := sorted(given - {*PAIR_COLUMNS, *MORE_COLUMNS}):
            raise DataError(f"{file} has the unknown columns {', '.join(unknown)}.")
        if missing := sorted(set(WINDOW_COLUMNS) - given) if given & set(WINDOW_COLUMNS) else []:
            raise DataError(f"{file} places tiles in larger rasters, but lacks {', '.join(missing)}.")
        rows: list[PairRow] = list(reader)
    for number, row in enumerate(rows, start=2):  # line 1 is the header
        if row["split"] not in SPLITS:
            broken.append(f"{file}, line {number}: the split {row['split']!r} is neither train nor test.")
        broken += [
            f"{file}, line {number}: {file.parent / row[name]} is missing."
            for name in ("lr", "hr")
            if not (file.parent / row[name]).is_file()
        ]
        if "counts" in row and (wrong := _counts_problem(row["counts"])):
            broken.append(f"{file}, line {number}: {wrong}")
    return rows, [*broken, *_shared_sites(file, rows)]


def _shared_sites(file: Path, rows: list[PairRow]) -> list[str]:
    """Return a sentence for each site that is in both splits, where it would be learnt and then measured."""
    sites = {name: {row.get("site") for row in rows if row["split"] == name} for name in SPLITS}
    shared = sorted(site for site in sites["train"] & sites["test"] if site is not None)
    return [f"{file}: the site {site!r} is in train and in test." for site in shared]


def _counts_problem(text: str) -> str | None:
    parts = text.split()
    if len(parts) == PATCHES and all(part.isascii() and part.isdigit() for part in parts):
        return None
    return f"counts are {PATCHES} whole numbers separated by spaces, not {text!r}."


def check_pair(lr_file: Path, hr_file: Path) -> None:
    """Raise DataError unless both files are georeferenced, have three bands and cover the same ground."""
    with _opened(lr_file) as lr, _opened(hr_file) as hr:
        for file, raster in ((lr_file, lr), (hr_file, hr)):
            if raster.crs is None or raster.transform.is_identity:
                raise DataError(f"{file} is not georeferenced.")
            if raster.count < len(RGB):
                raise DataError(f"{file} has {raster.count} band(s); red, green and blue are needed.")
        # HR may come in another CRS; edges are compared in the units of LR.
        bounds = hr.bounds if hr.crs == lr.crs else transform_bounds(hr.crs, lr.crs, *hr.bounds)
        # Half an LR pixel: beyond it a patch's LR pixels would show a neighbour's ground.
        tolerance = 0.5 * max(abs(lr.res[0]), abs(lr.res[1]))
        apart = max(abs(a - b) for a, b in zip(bounds, lr.bounds, strict=True))
        if apart > tolerance:
            raise DataError(
                f"{hr_file} and {lr_file} do not cover the same ground: their edges are {apart:g} apart, "
                f"more than half an LR pixel ({tolerance:g})."
            )


def _opened(file: Path) -> DatasetReader:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # check_pair raises it as an error
            return rasterio.open(file)
    except RasterioError as error:
        raise DataError(f"{file} is not a readable raster: {error}.") from error


def _decode(folder: Path, hr_size: int, lr_size: int, hr_file: Path, part: str) -> tuple[Tensor, Tensor]:
    row: PairRow = json.loads(part)
    lr_file = folder / row["lr"]
    check_pair(lr_file, hr_file)  # here, not when listing: opening every file first takes minutes
    tiles = [_tile(hr_file, row, hr_size), _tile(lr_file, row, lr_size)]
    hr, lr = (dihedral(tile[None], int(row.get("turn", 0)))[0] for tile in tiles)
    return hr, lr


def _part(row: PairRow) -> str:
    return json.dumps({name: row[name] for name in ("lr", *WINDOW_COLUMNS) if name in row})


def counts_in(row: PairRow) -> list[int]:
    """Return the number of objects in each patch (16,) of a readable row with counts."""
    return [int(part) for part in row["counts"].split()]


def _tile(file: Path, row: PairRow, size: int) -> Tensor:
    """Read a tile as uint8 (3, size, size), averaged down, or interpolated up where it has fewer pixels."""
    try:
        with _opened(file) as raster:
            window = tile_window(raster, row)
            valid = raster.dataset_mask(window=window) > 0  # (H, W): nodata, mask and alpha band in one
            values = raster.read(rgb_bands(raster), window=window)
    except RasterioError as error:
        raise DataError(f"{file} is not a readable raster: {error}.") from error
    if valid.mean() < LEAST_VALID:
        share, least = 100 * valid.mean(), 100 * LEAST_VALID
        raise DataError(f"{file} has {share:.0f} % valid pixels; at least {least:.0f} % are needed.")
    pixels = torch.from_numpy(to_uint8(values).astype(np.float32)).unsqueeze(0)  # (3, H, W) -> (1, 3, H, W)
    # Averaging needs at least one source pixel per target pixel on either side.
    if min(pixels.shape[-2:]) >= size:
        resized = downsample(pixels, size)
    else:
        resized = torch.nn.functional.interpolate(pixels, (size, size), mode="bilinear")
    return resized[0].round().to(torch.uint8)


def tile_window(raster: DatasetReader, row: PairRow) -> Window:
    """Return the pixels of a tile, to the nearest pixel: the whole raster, or a square in metres of it."""
    if "side_m" not in row:
        return Window(0, 0, raster.width, raster.height)
    metres = raster.crs.linear_units_factor[1] if raster.crs.is_projected else 1.0
    left, top, side = (float(row[name]) / metres for name in ("left_m", "top_m", "side_m"))
    edges = [
        left / raster.res[0],
        top / raster.res[1],
        (left + side) / raster.res[0],
        (top + side) / raster.res[1],
    ]
    x0, y0, x1, y1 = (round(edge) for edge in edges)
    if not (0 <= x0 < x1 <= raster.width and 0 <= y0 < y1 <= raster.height):
        raise DataError(f"The tile at {row['left_m']} m, {row['top_m']} m reaches outside {raster.name}.")
    return Window(x0, y0, x1 - x0, y1 - y0)


def rgb_bands(raster: DatasetReader) -> list[int]:
    """Return the numbers of the red, green and blue bands: by colour interpretation, else the first three."""
    roles = list(raster.colorinterp)
    if all(colour in roles for colour in RGB):
        return [roles.index(colour) + 1 for colour in RGB]  # GDAL counts bands from 1
    return [1, 2, 3]


def to_uint8(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale uint8, or reflectance of 0..1 or times 10,000, to 0..255."""
    if values.dtype == np.uint8:
        return values.astype(np.uint8)
    known = np.nan_to_num(values.astype(np.float64))  # a NaN would become an arbitrary uint8
    # By a high percentile: one bright or broken pixel must not turn a tile of reflectance black.
    reflectance = known if np.percentile(known, 99) <= LARGEST_REFLECTANCE else known * QUANTIFICATION
    return np.round(255 * np.clip(reflectance / WHITE_REFLECTANCE, 0, 1)).astype(np.uint8)


def _digests(folder: Path, rows: list[PairRow]) -> tuple[str, ...]:
    """Return the sha256 of each pair: of its two files, and of its place in them."""
    # A scene is shared by many tiles, and read once.
    content = {
        name: content_digest(folder / name) for name in {row[key] for row in rows for key in ("lr", "hr")}
    }
    return tuple(
        hashlib.sha256(
            f"{content[row['lr']]} {content[row['hr']]} {_part({**row, 'lr': ''})}".encode()
        ).hexdigest()
        for row in rows
    )
