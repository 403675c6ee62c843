"""Names of the formats that users send in place of a GeoTIFF, each with the command that converts it."""

import re
from typing import NamedTuple


class Container(NamedTuple):
    """A file format, recognised by the bytes at a position."""

    position: int
    signature: bytes
    name: str
    remedy: str


_CONVERT = "Convert it: gdal_translate in.{0} out.tif, or rio convert in.{0} out.tif."
_PLACE = (
    "It does not hold its own place. Export a GeoTIFF, or give it one: "
    "gdal_translate -a_srs EPSG:32633 -a_ullr WEST NORTH EAST SOUTH in.{0} out.tif."
)
_UNPACK = "Unpack it ({0}) and send the GeoTIFF that it holds."
_LAYER = (
    "Convert one of its layers: gdalinfo in.{0} lists them, and gdal_translate {1}:in.{0}:LAYER out.tif "
    "writes one."
)
_JPEG2000 = (
    "Convert it: gdal_translate in.jp2 out.tif, or rio convert in.jp2 out.tif. A Sentinel-2 band file holds "
    "one colour: stack them with rio stack -f GTiff B02.jp2 B03.jp2 B04.jp2 B08.jp2 out.tif."
)
_TEXT = "Send the GeoTIFF that it refers to."

_VRT = _CONVERT.format("vrt")
_ECW = "Convert it with GDAL's ECW driver or the vendor's tool: gdal_translate in.ecw out.tif."
_ASKED = "The download failed: repeat it with access to the file, and check that it starts with II or MM."
_POINTER = "Fetch the file itself: git lfs pull, or git annex get."

# Text is compared in lower case, after white space and an XML declaration. The longer beginning comes first.
_TEXTS = (
    Container(0, b"<vrtdataset", "a GDAL VRT, which refers to other files", _VRT),
    Container(0, b"<gdal_wms", "a map server description of GDAL", _CONVERT.format("xml")),
    Container(0, b"<!doctype html", "a web page", "The download may have needed a login. " + _TEXT),
    Container(0, b"<html", "a web page", "The download may have needed a login. " + _TEXT),
    Container(0, b"<error", "a storage server's error message", _ASKED),
    Container(0, b"<", "an XML document", _TEXT),
    Container(0, b"{", "a JSON document", _TEXT),
    Container(0, b"[", "a JSON document", _TEXT),
    Container(0, b"version https://git-lfs", "a Git LFS pointer, without the pixels", _POINTER),
    Container(0, b"/annex/objects", "a git-annex pointer, without the pixels", _POINTER),
    Container(0, b"ncols", "an Esri ASCII grid", _CONVERT.format("asc")),
)
_DECLARATION = re.compile(rb"<\?xml[^>]*>\s*")
_DIRECTORY_BYTES = 65_536  # of the end of a zip archive, where it lists its files

# Where one signature begins another, the longer one comes first.
_CONTAINERS = (
    Container(4, b"jP  \r\n\x87\n", "a JPEG 2000 file (JP2)", _JPEG2000),
    Container(0, b"\xff\x4f\xff\x51", "a JPEG 2000 codestream", _JPEG2000),
    Container(0, b"\x89PNG", "a PNG image", _PLACE.format("png")),
    Container(0, b"\xff\xd8\xff", "a JPEG image", _PLACE.format("jpg")),
    Container(8, b"WEBP", "a WebP image", _PLACE.format("webp")),
    Container(0, b"GIF8", "a GIF image", _PLACE.format("gif")),
    Container(4, b"JXL \r\n\x87\n", "a JPEG XL image", _PLACE.format("jxl")),
    Container(0, b"\xff\x0a", "a JPEG XL image", _PLACE.format("jxl")),
    Container(4, b"ftyp", "a HEIF, AVIF or video file", _PLACE.format("heic")),
    Container(0, b"PK\x03\x04", "a zip archive", _UNPACK.format("unzip in.zip")),
    Container(0, b"PK\x05\x06", "an empty zip archive", "Send the GeoTIFF itself."),
    Container(0, b"\x1f\x8b", "gzip-compressed", _UNPACK.format("gunzip in.gz, or tar -xzf in.tar.gz")),
    Container(0, b"BZh", "bzip2-compressed", _UNPACK.format("bunzip2 in.bz2")),
    Container(0, b"\xfd7zXZ\0", "xz-compressed (LZMA)", _UNPACK.format("unxz in.xz")),
    Container(0, b"\x5d\0\0", "LZMA-compressed", _UNPACK.format("unlzma in.lzma")),
    Container(0, b"\x28\xb5\x2f\xfd", "zstd-compressed", _UNPACK.format("unzstd in.zst")),
    Container(0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK.format("7z x in.7z")),
    Container(0, b"Rar!", "a RAR archive", _UNPACK.format("unrar x in.rar")),
    Container(257, b"ustar", "a tar archive", _UNPACK.format("tar -xf in.tar")),
    Container(0, b"\x89HDF\r\n\x1a\n", "a NetCDF-4 or HDF5 file", _LAYER.format("nc", "NETCDF")),
    Container(0, b"CDF\x01", "a NetCDF file", _LAYER.format("nc", "NETCDF")),
    Container(0, b"CDF\x02", "a NetCDF file", _LAYER.format("nc", "NETCDF")),
    Container(0, b"CDF\x05", "a NetCDF file", _LAYER.format("nc", "NETCDF")),
    Container(0, b"\x0e\x03\x13\x01", "an HDF4 file", _LAYER.format("hdf", "HDF4_SDS:UNKNOWN")),
    Container(0, b"GRIB", "a GRIB file", _CONVERT.format("grib")),
    Container(
        0,
        b"ENVI",
        "an ENVI header, without its pixels",
        "Convert header and pixels together: gdal_translate in.dat out.tif, with in.hdr beside in.dat.",
    ),
    Container(68, b"GPKG", "a GeoPackage", _CONVERT.format("gpkg")),
    Container(0, b"SQLite format 3\0", "an SQLite database (MBTiles)", _CONVERT.format("mbtiles")),
    Container(0, b"%PDF", "a PDF document", "Convert it, if it is a GeoPDF: gdal_translate in.pdf out.tif."),
    Container(0, b"NITF", "a NITF file", _CONVERT.format("ntf")),
    Container(0, b"NSIF", "a NITF file", _CONVERT.format("ntf")),
    Container(0, b"EHFA_HEADER_TAG", "an ERDAS Imagine file", _CONVERT.format("img")),
    Container(0, b"msid", "a MrSID file", "Convert it with its vendor's tool: mrsidgeodecode -of tifg."),
    *(Container(0, b"e" + bytes([version]), "an ECW file", _ECW) for version in range(1, 8)),
    Container(0, b"BM", "a BMP image", _PLACE.format("bmp")),
)


def recognise_container(body: bytes) -> Container | None:
    """Return the format that the bytes of a file begin with, or None."""
    head = body[:512].removeprefix(b"\xef\xbb\xbf")
    found = next((one for one in _CONTAINERS if head.startswith(one.signature, one.position)), None)
    if found and found.signature == b"PK\x03\x04":
        return _zip_of(body[-_DIRECTORY_BYTES:].lower()) or found
    text = (_DECLARATION.sub(b"", head.lstrip(), count=1) or head.lstrip()).lower()
    return found or next((one for one in _TEXTS if text.startswith(one.signature)), None)


def _zip_of(directory: bytes) -> Container | None:
    """Return the description of a zip archive that holds JPEG 2000 and no GeoTIFF, or None."""
    if b".jp2" not in directory or b".tif" in directory:
        return None
    return Container(
        0, b"", "a zip archive of JPEG 2000 files (JP2)", f"Unpack it (unzip in.zip). {_JPEG2000}"
    )
