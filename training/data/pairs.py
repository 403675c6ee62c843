"""The reader of your own data: a CSV of labelled pairs of LR and HR GeoTIFFs of the same ground.

The columns are lr, hr, label and split (train or test); paths are relative to the CSV. Each pair is one tile.
Pixels are scaled to 0..255 as in the service (docs/inputs.md): uint8 stays as it is; reflectance, stored as
0..1 or times 10,000, is scaled so that 0.3558, the white of ESA's true-colour images, becomes 255.
"""

import csv
import hashlib
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
from torch import Tensor

from models.preprocess import downsample
from models.reflectance import QUANTIFICATION, WHITE_REFLECTANCE
from training.data.images import DataError, StreamedImages, listed

PAIR_COLUMNS = ("lr", "hr", "label", "split")
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
        # HR is the file of a streamed image, and the name of its LR file is the part.
        files=tuple((file.parent / row["hr"], row["lr"]) for row in wanted),
        decode=partial(_decode, file.parent, hr_size, lr_size),
        labels=torch.tensor([classes.index(row["label"]) for row in wanted]),
        classes=classes,
        digests=tuple(_digest(file.parent, row) for row in wanted),
    )


def find_csv(path: Path) -> Path:
    """Return `path` if it is a file, else the only CSV in the folder. Raise DataError unless there is one."""
    if path.is_file():
        return path
    found = sorted(path.glob("*.csv"))
    if len(found) != 1:
        raise DataError(f"{path} holds {len(found)} CSV files: pass the path of the one with the pairs.")
    return found[0]


def list_rows(file: Path) -> tuple[list[PairRow], list[str]]:
    """Return the rows of a CSV, and a sentence for each problem with one."""
    broken = []
    with file.open(newline="") as content:
        reader = csv.DictReader(content)
        if sorted(reader.fieldnames or ()) != sorted(PAIR_COLUMNS):
            raise DataError(f"{file} does not have the columns {','.join(PAIR_COLUMNS)}.")
        rows: list[PairRow] = list(reader)
    for number, row in enumerate(rows, start=2):  # line 1 is the header
        if row["split"] not in SPLITS:
            broken.append(f"{file}, line {number}: the split {row['split']!r} is neither train nor test.")
        broken += [
            f"{file}, line {number}: {file.parent / row[name]} is missing."
            for name in ("lr", "hr")
            if not (file.parent / row[name]).is_file()
        ]
    return rows, broken


def check_pair(lr_file: Path, hr_file: Path) -> None:
    """Raise DataError unless both files are georeferenced, have three bands and cover the same ground."""
    with _opened(lr_file) as lr, _opened(hr_file) as hr:
        for file, raster in ((lr_file, lr), (hr_file, hr)):
            if raster.crs is None or raster.transform.is_identity:
                raise DataError(f"{file} is not georeferenced.")
            if raster.count < len(RGB):
                raise DataError(f"{file} has {raster.count} band(s); red, green and blue are needed.")
        # HR may come in another CRS; edges are compared in the units of LR.
        bounds = transform_bounds(hr.crs, lr.crs, *hr.bounds)
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


def _decode(folder: Path, hr_size: int, lr_size: int, hr_file: Path, lr_name: str) -> tuple[Tensor, Tensor]:
    check_pair(folder / lr_name, hr_file)  # here, not when listing: opening every file first takes minutes
    return _tile(hr_file, hr_size), _tile(folder / lr_name, lr_size)


def _tile(file: Path, size: int) -> Tensor:
    """Read a file as uint8 (3, size, size), averaged down, or interpolated up where it has fewer pixels."""
    try:
        with _opened(file) as raster:
            bands = rgb_bands(raster)
            valid = raster.dataset_mask() > 0  # (H, W): nodata, mask and alpha band in one
            values = raster.read(bands)
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
    reflectance = known if known.max() <= LARGEST_REFLECTANCE else known * QUANTIFICATION
    return np.round(255 * np.clip(reflectance / WHITE_REFLECTANCE, 0, 1)).astype(np.uint8)


def _digest(folder: Path, row: PairRow) -> str:
    content = b"".join((folder / row[name]).read_bytes() for name in ("lr", "hr"))
    return hashlib.sha256(content).hexdigest()
