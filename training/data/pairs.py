"""Your own data: a CSV of paired LR and HR GeoTIFFs of the same ground, with labels.

Columns lr, hr, label, split (train or test); paths are relative to the CSV. Each pair is one tile.
Pixels become 0..255 as the service makes them (docs/inputs.md): uint8 as it is; reflectance, whether
0..1 or times 10,000, by 255 at a reflectance of 0.3558, ESA's true-colour white.
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
from training.data.images import DataError, StreamedImages, listed

COLUMNS = ("lr", "hr", "label", "split")
SPLITS = ("train", "test")
WHITE_REFLECTANCE = 0.3558
QUANTIFICATION = 1e-4
LARGEST_REFLECTANCE = 2.0
"""A file with a larger value holds reflectance times 10,000."""
LEAST_VALID = 0.9
BANDS = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)

Row = dict[str, str]


def read_pairs(path: Path, *, train: bool, hr_size: int, lr_size: int) -> StreamedImages:
    """One split. DataError names the CSV's line and what is wrong with it."""
    file = find_csv(path)
    rows, broken = list_rows(file)
    if broken:
        raise DataError(listed(broken))
    classes = tuple(sorted({row["label"] for row in rows}))
    if len(classes) < 2:
        raise DataError(f"{file} holds fewer than two labels")
    wanted = [row for row in rows if row["split"] == ("train" if train else "test")]
    if not wanted:
        raise DataError(f"{file} has no row of the split {'train' if train else 'test'}")
    return StreamedImages(
        files=tuple((file.parent / row["hr"], row["lr"]) for row in wanted),
        decode=partial(_decode, file.parent, hr_size, lr_size),
        labels=torch.tensor([classes.index(row["label"]) for row in wanted]),
        classes=classes,
        digests=tuple(_digest(file.parent, row) for row in wanted),
    )


def find_csv(path: Path) -> Path:
    """The CSV itself, or the only one in a folder."""
    if path.is_file():
        return path
    found = sorted(path.glob("*.csv"))
    if len(found) != 1:
        raise DataError(f"{path} holds {len(found)} CSV files: pass the one with the pairs")
    return found[0]


def list_rows(file: Path) -> tuple[list[Row], list[str]]:
    """The rows, and what is wrong with any of them, a sentence each."""
    broken = []
    with file.open(newline="") as content:
        reader = csv.DictReader(content)
        if sorted(reader.fieldnames or ()) != sorted(COLUMNS):
            raise DataError(f"{file} does not have the columns {','.join(COLUMNS)}")
        rows: list[Row] = list(reader)
    for number, row in enumerate(rows, start=2):
        if row["split"] not in SPLITS:
            broken.append(f"{file} line {number}: split {row['split']!r} is neither train nor test")
        broken += [
            f"{file} line {number}: {file.parent / row[name]} is missing"
            for name in ("lr", "hr")
            if not (file.parent / row[name]).is_file()
        ]
    return rows, broken


def check_pair(lr_file: Path, hr_file: Path) -> None:
    """DataError if the two cannot show the same ground, or one shows too little of it."""
    with _opened(lr_file) as lr, _opened(hr_file) as hr:
        for file, raster in ((lr_file, lr), (hr_file, hr)):
            if raster.crs is None or raster.transform.is_identity:
                raise DataError(f"{file} is not georeferenced")
            if raster.count < len(BANDS):
                raise DataError(f"{file} has {raster.count} band(s), not red, green and blue")
        bounds = transform_bounds(hr.crs, lr.crs, *hr.bounds)
        tolerance = 0.5 * max(abs(lr.res[0]), abs(lr.res[1]))
        apart = max(abs(a - b) for a, b in zip(bounds, lr.bounds, strict=True))
        if apart > tolerance:
            raise DataError(
                f"{hr_file} and {lr_file} do not cover the same ground: their edges are {apart:g} apart, "
                f"more than half an LR pixel ({tolerance:g})"
            )


def _opened(file: Path) -> DatasetReader:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # check_pair says so in words
            return rasterio.open(file)
    except RasterioError as error:
        raise DataError(f"{file} is not a readable raster: {error}") from error


def _decode(folder: Path, hr_size: int, lr_size: int, hr_file: Path, lr_name: str) -> tuple[Tensor, Tensor]:
    check_pair(folder / lr_name, hr_file)
    return _tile(hr_file, hr_size), _tile(folder / lr_name, lr_size)


def _tile(file: Path, size: int) -> Tensor:
    """uint8 (3, size, size): averaged down, or bilinearly up where the file is coarser than the recipe."""
    try:
        with _opened(file) as raster:
            bands = _rgb(raster)
            valid = raster.dataset_mask() > 0
            values = raster.read(bands)
    except RasterioError as error:
        raise DataError(f"{file} is not a readable raster: {error}") from error
    if valid.mean() < LEAST_VALID:
        raise DataError(f"{file} has only {100 * valid.mean():.0f} % valid pixels")
    pixels = torch.from_numpy(to_uint8(values).astype(np.float32)).unsqueeze(0)
    if min(pixels.shape[-2:]) >= size:
        resized = downsample(pixels, size)
    else:
        resized = torch.nn.functional.interpolate(pixels, (size, size), mode="bilinear")
    return resized[0].round().to(torch.uint8)


def _rgb(raster: DatasetReader) -> list[int]:
    """Bands by their colour, or the first three where the file does not say."""
    roles = list(raster.colorinterp)
    if all(colour in roles for colour in BANDS):
        return [roles.index(colour) + 1 for colour in BANDS]
    return [1, 2, 3]


def to_uint8(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """0..255 from uint8, or from reflectance 0..1 or times 10,000."""
    if values.dtype == np.uint8:
        return values.astype(np.uint8)
    known = np.nan_to_num(values.astype(np.float64))
    reflectance = known if known.max() <= LARGEST_REFLECTANCE else known * QUANTIFICATION
    return np.round(255 * np.clip(reflectance / WHITE_REFLECTANCE, 0, 1)).astype(np.uint8)


def _digest(folder: Path, row: Row) -> str:
    content = b"".join((folder / row[name]).read_bytes() for name in ("lr", "hr"))
    return hashlib.sha256(content).hexdigest()
