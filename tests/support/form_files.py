"""Write rasters with GDAL's own drivers, and pack folders into archives, as providers do."""

import zipfile
from pathlib import Path
from typing import Any

import rasterio
from affine import Affine
from numpy.typing import NDArray

from tests.support.landscape import TOP, UTM, WEST


def write(
    path: Path, pixels: NDArray[Any], pixel_m: float, names: tuple[str, ...] = (), **profile: Any
) -> None:
    """Write a raster of one band or more whose upper left corner is the landscape's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = pixels[None] if pixels.ndim == 2 else pixels
    transform = profile.pop("transform", Affine(pixel_m, 0, WEST, 0, -pixel_m, TOP))
    size = {"count": len(bands), "height": bands.shape[1], "width": bands.shape[2], "dtype": bands.dtype}
    with rasterio.open(
        path, "w", **({"driver": "GTiff", "crs": UTM, "transform": transform} | size | profile)
    ) as file:
        file.write(bands)
        if names:
            file.descriptions = names


def pack(archive: Path, folder: Path) -> None:
    """Zip a folder's files under their paths in it, and remove them."""
    with zipfile.ZipFile(archive, "w") as zipped:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                zipped.write(path, path.relative_to(folder))
                path.unlink()
