"""Scenes on disk: GeoTIFFs, or pictures with a stated pixel size, and which of them show the same ground."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_utm_crs_info
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds

from training.data.boxes import Boxes
from training.data.images import DataError
from training.data.pairs import rgb_bands, to_uint8
from training.data.pictures import SUFFIXES, as_tensor, open_picture
from training.data.sensor import Pixels

LOCAL_CRS = (
    'ENGCRS["Pixels of a picture, in metres",EDATUM["Upper left corner of the picture"],'
    'CS[Cartesian,2],AXIS["easting",east],AXIS["northing",north],LENGTHUNIT["metre",1]]'
)
"""CRS of a picture without georeference: metres from its upper left corner."""


@dataclass(frozen=True, kw_only=True)
class SceneFile:
    """A scene in high resolution, in a CRS of metres."""

    name: str
    path: Path
    pixel_m: float
    shape: tuple[int, int]
    """Rows and columns."""
    transform: Affine
    crs: str
    """"EPSG:n", or LOCAL_CRS for a picture."""
    bounds: tuple[float, float, float, float] | None
    """West, south, east, north in degrees; None for a picture."""
    to_utm: bool = False
    """Whether the file is in degrees, and is read through a projection to UTM."""


def list_scenes(folder: Path, pixel_m: float | None) -> list[SceneFile]:
    """List the scenes of a folder, by name. Raise DataError if there are none."""
    files = sorted(one for one in folder.rglob("*") if one.suffix.lower() in SUFFIXES)
    if not files:
        raise DataError(f"{folder} holds no scenes: GeoTIFFs or pictures are expected.")
    scenes = [_described(file, pixel_m) for file in files]
    names = [scene.name for scene in scenes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"Two scenes of {folder} have the same name: {', '.join(twice)}.")
    return scenes


def _described(file: Path, pixel_m: float | None) -> SceneFile:
    if file.suffix.lower() in (".tif", ".tiff"):
        try:
            with rasterio.open(file) as raster:
                if raster.crs is not None and not raster.transform.is_identity:
                    return _georeferenced(file, raster)
        except RasterioError as error:
            raise DataError(f"{file} is not a readable raster: {error}.") from error
    if pixel_m is None:
        raise DataError(f"{file} is not georeferenced: state the size of its pixels with --pixel-m.")
    picture = open_picture(file)
    return SceneFile(
        name=file.stem,
        path=file,
        pixel_m=pixel_m,
        shape=(picture.height, picture.width),
        transform=Affine(pixel_m, 0, 0, 0, -pixel_m, 0),
        crs=LOCAL_CRS,
        bounds=None,
    )


def _georeferenced(file: Path, raster: rasterio.DatasetReader) -> SceneFile:
    bounds = transform_bounds(raster.crs, "EPSG:4326", *raster.bounds)
    to_utm = bool(raster.crs.is_geographic)
    with _projected(raster, bounds if to_utm else None) as read:
        # North-up in metres: a turned raster would need resampling before it can be cut into squares.
        a, b, _, d, e, _ = read.transform[:6]
        if abs(b) + abs(d) > 1e-9 or a <= 0 or e >= 0 or abs(a + e) > 1e-3 * a:
            raise DataError(f"{file} is not north-up with square pixels: run gdalwarp -t_srs EPSG:n first.")
        return SceneFile(
            name=file.stem,
            path=file,
            pixel_m=a * read.crs.linear_units_factor[1],
            shape=(read.height, read.width),
            transform=read.transform,
            crs=read.crs.to_string(),
            bounds=bounds,
            to_utm=to_utm,
        )


@contextmanager
def _projected(
    raster: rasterio.DatasetReader, bounds: tuple[float, float, float, float] | None
) -> Iterator[rasterio.DatasetReader]:
    if bounds is None:
        yield raster
        return
    zone = query_utm_crs_info("WGS 84", AreaOfInterest(*bounds))[0]
    with WarpedVRT(raster, crs=f"EPSG:{zone.code}", resampling=rasterio.enums.Resampling.bilinear) as read:
        yield read


def read_scene(scene: SceneFile) -> Pixels:
    """Read the colours of a scene, scaled to 0..255 as in `pairs`: uint8 (3, H, W)."""
    if scene.bounds is None:
        pixels: Pixels = as_tensor(open_picture(scene.path)).numpy()
        return pixels
    with (
        rasterio.open(scene.path) as raster,
        _projected(raster, scene.bounds if scene.to_utm else None) as read,
    ):
        return to_uint8(read.read(rgb_bands(read)))


def read_raster(file: Path) -> tuple[Pixels, Affine, str]:
    """Read the colours (3, H, W) of a GeoTIFF, scaled to 0..255, with its transform and its CRS."""
    try:
        with rasterio.open(file) as raster:
            if raster.crs is None or raster.transform.is_identity:
                raise DataError(f"{file} is not georeferenced.")
            return to_uint8(raster.read(rgb_bands(raster))), raster.transform, raster.crs.to_string()
    except RasterioError as error:
        raise DataError(f"{file} is not a readable raster: {error}.") from error


def to_pixels(scene: SceneFile, lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map longitudes and latitudes (N, 2) to columns and rows (N, 2) of a georeferenced scene."""
    if scene.bounds is None:
        raise DataError(f"{scene.path} is not georeferenced: give objects in pixels, with the scene's name.")
    transformer = Transformer.from_crs("EPSG:4326", CRS.from_user_input(scene.crs), always_xy=True)
    x, y = transformer.transform(lonlat[:, 0], lonlat[:, 1])
    columns, rows = ~scene.transform @ (np.asarray(x), np.asarray(y))
    return np.stack([columns, rows], axis=1)


def boxes_in_pixels(scene: SceneFile, placed: Boxes) -> Boxes:
    """Map boxes in degrees to boxes in pixels of a georeferenced scene."""
    centres, sizes = placed[:, :2], placed[:, 2:]
    # Each side runs through the centre, so that a turn of the grid against north changes it least.
    sides = [
        np.linalg.norm(to_pixels(scene, centres + half) - to_pixels(scene, centres - half), axis=1)
        for half in (sizes * (0.5, 0), sizes * (0, 0.5))
    ]
    return np.column_stack([to_pixels(scene, centres), *sides])
