"""Sound and hostile rasters made by code, each named by its property.

`write_geotiff` writes files with GDAL; `handmade_tiff` assembles a TIFF byte by byte, for files that GDAL
would not write. Everything is deterministic: the same call gives the same bytes.
"""

import struct
import warnings
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from service.geotiff import gdal_lock
from service.geotiff.raster import Gap, Raster
from service.imagery.radiometry import Imagery

assert gdal_lock.ENVIRONMENT  # service.geotiff must be imported before rasterio opens anything

UTM32 = "EPSG:32632"
UTM_10M = Affine(10, 0, 500_000, 0, -10, 5_700_000)  # north-up, 10 m pixels, near Kassel
SHAPE = (1, 8, 8)  # default shape of `handmade_tiff`
Tag = tuple[int, int, Sequence[float] | bytes]  # tag, type, values


def make_noise(
    bands: int = 3, height: int = 32, width: int = 40, dtype: str = "uint8", seed: int = 7
) -> NDArray[Any]:
    """Return random pixels (bands, H, W): 1..255 for uint8, 1..4000 for wider integers, 0..1 for floats."""
    generator = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return generator.random((bands, height, width)).astype(dtype)
    return generator.integers(1, 255 if dtype == "uint8" else 4000, (bands, height, width)).astype(dtype)


def write_geotiff(
    pixels: NDArray[Any],
    *,
    crs: str | None = UTM32,
    transform: Affine = UTM_10M,
    nodata: float | None = None,
    descriptions: Sequence[str] = (),
    colours: Sequence[str] = (),
    scales: Sequence[float] = (),
    offsets: Sequence[float] = (),
    mask: NDArray[np.bool_] | None = None,
    overviews: Sequence[int] = (),
    **creation: Any,
) -> bytes:
    """Write a GeoTIFF with GDAL; `creation` takes GDAL's options (compress="lzw", tiled=True, ...)."""
    bands, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": bands, "height": height, "width": width, "dtype": pixels.dtype}
    with (
        warnings.catch_warnings(),
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.MemoryFile() as memory,
    ):
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with memory.open(**profile, crs=crs, transform=transform, nodata=nodata, **creation) as file:
            if colours:
                file.colorinterp = [rasterio.enums.ColorInterp[colour] for colour in colours]
            if descriptions:
                file.descriptions = tuple(descriptions)
            if scales:
                file.scales, file.offsets = tuple(scales), tuple(offsets)
            file.write(pixels)
            if mask is not None:
                file.write_mask(mask)
        if overviews:
            with rasterio.open(memory.name, "r+", driver="GTiff") as file:
                file.build_overviews(list(overviews), rasterio.enums.Resampling.average)
        return bytes(memory.read())


def handmade_tiff(
    width: int = 8,
    height: int = 8,
    *,
    bands: int = 1,
    bits: int = 8,
    sample_format: int = 1,
    compression: int = 1,
    photometric: int = 1,
    tile: tuple[int, int] | None = None,
    data: bytes | None = None,
    offsets: Sequence[int] | None = None,
    counts: Sequence[int] | None = None,
    geo: bool = True,
    tags: Sequence[Tag] = (),
) -> bytes:
    """Assemble a classic little-endian TIFF. By default all its blocks point at one piece of `data`."""
    data = bytes(range(1, 65))[: width * height] if data is None else data
    blocks = -(-width // tile[0]) * -(-height // tile[1]) if tile else 1
    entries: list[Tag] = [
        (256, 4, [width]),
        (257, 4, [height]),
        (258, 3, [bits] * min(bands, 4096)),
        (259, 3, [compression]),
        (262, 3, [photometric]),
        (277, 3, [bands]),
        (284, 3, [1]),
        (339, 3, [sample_format]),
        *([(322, 4, [tile[0]]), (323, 4, [tile[1]])] if tile else [(278, 4, [height])]),
        (324 if tile else 273, 4, offsets if offsets is not None else [8] * blocks),
        (325 if tile else 279, 4, counts if counts is not None else [len(data)] * blocks),
        *(_GEO if geo else ()),
        *tags,
    ]
    return _assemble(data, entries)


_KEYS = [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32632]  # projected, pixel is area, EPSG:32632
GEO_KEYS: tuple[Tag, ...] = ((34735, 3, _KEYS),)
_GEO: tuple[Tag, ...] = (
    (33550, 12, [10.0, 10.0, 0.0]),
    (33922, 12, [0.0, 0.0, 0.0, 500_000.0, 5_700_000.0, 0.0]),
    *GEO_KEYS,
)
_FORMATS = {1: "B", 2: "B", 3: "H", 4: "I", 12: "d"}


def _assemble(data: bytes, entries: Sequence[Tag]) -> bytes:
    body = bytearray(data + b"\0" * (len(data) % 2))
    rows = []
    for tag, kind, values in sorted(entries, key=lambda entry: entry[0]):
        raw = values if isinstance(values, bytes) else struct.pack(f"<{len(values)}{_FORMATS[kind]}", *values)
        place = raw.ljust(4, b"\0")
        if len(raw) > 4:
            place = struct.pack("<I", 8 + len(body))
            body += raw + b"\0" * (len(raw) % 2)
        rows.append(struct.pack("<HHI", tag, kind, len(values)) + place)
    directory = struct.pack("<H", len(rows)) + b"".join(rows) + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + bytes(body) + directory


def tiff_with_metadata(xml: str, **options: Any) -> bytes:
    """Return a sound, small GeoTIFF whose GDAL metadata tag holds `xml`."""
    return handmade_tiff(**options, tags=[(42112, 2, xml.encode() + b"\0")])


def tiff_with_metadata_items(count: int) -> bytes:
    """Return a GeoTIFF with many metadata items; GDAL's own parser takes quadratic time for them."""
    items = "".join(f'<Item name="k{i}">{"v" * 50}</Item>' for i in range(count))
    return tiff_with_metadata(f"<GDALMetadata>{items}</GDALMetadata>")


def tiff_with_overview_file(path: str) -> bytes:
    """Return a GeoTIFF that makes GDAL take its overviews from `path`: a file, a URL or an inline VRT."""
    escaped = path.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    item = f'<Item name="OVERVIEW_FILE" domain="OVERVIEWS">{escaped}</Item>'
    return tiff_with_metadata(
        f"<GDALMetadata>{item}</GDALMetadata>", width=64, height=64, data=bytes(64 * 64)
    )


def tiff_with_geolocation(url: str) -> bytes:
    """Return a GeoTIFF that makes GDAL's warper read geolocation arrays from `url`."""
    names = {
        "X_DATASET": url,
        "Y_DATASET": url,
        "X_BAND": 1,
        "Y_BAND": 1,
        "LINE_OFFSET": 0,
        "PIXEL_OFFSET": 0,
    }
    items = "".join(f'<Item name="{k}" domain="GEOLOCATION">{v}</Item>' for k, v in names.items())
    return tiff_with_metadata(f"<GDALMetadata>{items}</GDALMetadata>")


def raw_vrt(path: str, bytes_a_row: int = 64) -> str:
    """Return a VRT that reads the bytes of any file as pixels."""
    return (
        f'<VRTDataset rasterXSize="{bytes_a_row}" rasterYSize="1">'
        '<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">'
        f'<SourceFilename relativetoVRT="0">{path}</SourceFilename><ImageOffset>0</ImageOffset>'
        f"<PixelOffset>1</PixelOffset><LineOffset>{bytes_a_row}</LineOffset></VRTRasterBand></VRTDataset>"
    )


def vrt(path: str) -> str:
    """Return a VRT that shows another raster."""
    return (
        '<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="0">{path}</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )


def wms(url: str) -> str:
    """Return a GDAL_WMS description: an XML file that makes GDAL query a map server."""
    return (
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{url}</ServerUrl></Service><DataWindow><UpperLeftX>-1'
        "</UpperLeftX><UpperLeftY>1</UpperLeftY><LowerRightX>1</LowerRightX><LowerRightY>-1</LowerRightY>"
        "<TileLevel>0</TileLevel><TileCountX>1</TileCountX><TileCountY>1</TileCountY></DataWindow></GDAL_WMS>"
    )


def shared_block_bomb(side: int, **options: Any) -> bytes:
    """Return side x side zeros whose tiles all point at one deflated block: tiny stored, huge decoded."""
    data = zlib.compress(bytes(512 * 512))
    return handmade_tiff(side, side, compression=8, tile=(512, 512), data=data, **options)


def one_strip_bomb(side: int, **options: Any) -> bytes:
    """Return side x side zeros deflated a thousandfold into one strip."""
    return handmade_tiff(side, side, compression=8, data=zlib.compress(bytes(side * side), 9), **options)


def many_directories(count: int) -> bytes:
    """Return a TIFF with a chain of `count` directories of minimal size."""
    parts, offset = [b"II*\0" + struct.pack("<I", 8)], 8
    for index in range(count):
        offset += 18
        following = offset if index < count - 1 else 0
        parts.append(struct.pack("<HHHII", 1, 256, 4, 1, 8) + struct.pack("<I", following))
    return b"".join(parts)


def directory_loop() -> bytes:
    """Return a TIFF whose directory names itself as the next one."""
    body = bytearray(handmade_tiff())
    start = struct.unpack_from("<I", body, 4)[0]
    body[-4:] = struct.pack("<I", start)
    return bytes(body)


def make_imagery(
    rgb: NDArray[np.uint8],
    *,
    transform: Affine = UTM_10M,
    crs: str = UTM32,
    valid: NDArray[np.bool_] | None = None,
    collar: NDArray[np.bool_] | None = None,
    gaps: tuple[Gap, ...] = (),
) -> Imagery:
    """Return a colour image without a file."""
    return Imagery(
        rgb=rgb,
        valid=np.ones(rgb.shape[1:], np.bool_) if valid is None else valid,
        transform=transform,
        crs=crs,
        bands=(1, 2, 3),
        bands_from="made",
        radiometry="made",
        collar=collar,
        gaps=gaps,
    )


def make_raster(
    pixels: NDArray[Any],
    *,
    descriptions: tuple[str | None, ...] = (),
    colours: tuple[str, ...] = (),
    scales: tuple[float, ...] = (),
    offsets: tuple[float, ...] = (),
) -> Raster:
    """Return a raster without a file."""
    bands = len(pixels)
    return Raster(
        pixels=pixels,
        valid=np.ones(pixels.shape[1:], np.bool_),
        transform=UTM_10M,
        crs=UTM32,
        descriptions=descriptions or (None,) * bands,
        colours=colours or ("undefined",) * bands,
        scales=scales or (1.0,) * bands,
        offsets=offsets or (0.0,) * bands,
    )
