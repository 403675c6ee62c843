"""Files that are no TIFF: each is named, with the command that makes a GeoTIFF of it."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable

import pytest
from PIL import Image

from service.geotiff.errors import NotGeoTiffError
from service.geotiff.preflight import Limits, check_structure


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, kind)
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.tif", b"II*\0")
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.tif"))
    return file.getvalue()


FILES: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "jp2": (
        lambda: bytes.fromhex("0000000c6a5020200d0a870a") + bytes(99),
        "JPEG 2000",
        "rio convert in.jp2 out.tif",
    ),
    "jpeg-2000-codestream": (lambda: b"\xff\x4f\xff\x51" + bytes(99), "JPEG 2000", "gdal_translate in.jp2"),
    "png": (lambda: picture("png"), "PNG", "-a_ullr"),
    "jpeg": (lambda: picture("jpeg"), "JPEG image", "-a_ullr"),
    "webp": (lambda: picture("webp"), "WebP", "-a_ullr"),
    "gif": (lambda: picture("gif"), "GIF", "-a_ullr"),
    "bmp": (lambda: picture("bmp"), "BMP", "-a_ullr"),
    "zip": (zipped, "zip archive", "unzip"),
    "gzip": (lambda: gzip.compress(b"II*\0"), "gzip", "gunzip"),
    "bzip2": (lambda: bz2.compress(b"II*\0"), "bzip2", "bunzip2"),
    "xz": (lambda: lzma.compress(b"II*\0"), "LZMA", "unxz"),
    "lzma": (lambda: lzma.compress(b"II*\0", lzma.FORMAT_ALONE), "LZMA", "unlzma"),
    "tar": (tarred, "tar archive", "tar -xf"),
    "netcdf-4": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(99), "NetCDF-4 or HDF5", "gdal_translate NETCDF:"),
    "netcdf": (lambda: b"CDF\x01" + bytes(99), "NetCDF", "gdal_translate NETCDF:"),
    "envi-header": (lambda: b"ENVI\nsamples = 8\n", "ENVI header", "gdal_translate in.dat"),
    "geopackage": (
        lambda: (b"SQLite format 3\0" + bytes(52) + b"GPKG").ljust(512, b"\0"),
        "GeoPackage",
        "gdal_translate in.gpkg",
    ),
    "mbtiles": (lambda: b"SQLite format 3\0" + bytes(99), "SQLite", "gdal_translate in.mbtiles"),
    "pdf": (lambda: b"%PDF-1.7\n", "PDF", "gdal_translate in.pdf"),
    "vrt": (lambda: b'<VRTDataset rasterXSize="8">', "VRT", "gdal_translate in.vrt"),
    "login-page": (lambda: b"<!DOCTYPE html><html>", "web page", "login"),
    "xml-after-a-byte-order-mark": (lambda: b"\xef\xbb\xbf<?xml version='1.0'?>", "XML", "Send the GeoTIFF"),
}


@pytest.mark.parametrize("name", FILES)
def test_check_structure_names_a_format_that_is_no_tiff_and_its_remedy(name: str) -> None:
    factory, called, remedy = FILES[name]
    with pytest.raises(NotGeoTiffError) as caught:
        check_structure(factory(), Limits())
    assert called in caught.value.detail
    assert remedy in caught.value.detail
    assert caught.value.detail.endswith(".")
    assert called in str(caught.value.extra["container"])


def test_check_structure_says_of_unknown_bytes_only_that_they_are_no_tiff() -> None:
    with pytest.raises(NotGeoTiffError, match="does not start like a TIFF"):
        check_structure(b"\x93" * 600, Limits())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>', "storage server's error"),
        (b"\n\n<!doctype HTML><html>", "a web page"),
        (b'<?xml version="1.0"?>\n<VRTDataset>', "a GDAL VRT"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"[1]", "a JSON document"),
        (b"e\x03\x00" + bytes(100), "an ECW file"),
    ],
)
def test_text_and_pointers_in_place_of_a_file_are_named(body: bytes, said: str) -> None:
    with pytest.raises(NotGeoTiffError, match=said):
        check_structure(body, Limits())


def test_zip_of_jpeg_2000_is_named_with_its_command() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("S2A.SAFE/B02.jp2", b"")
    with pytest.raises(NotGeoTiffError, match=r"JPEG 2000 files.*rio stack"):
        check_structure(file.getvalue(), Limits())
