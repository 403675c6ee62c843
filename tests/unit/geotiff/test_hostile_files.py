"""The pre-flight of uploads: files that it refuses, and the errors."""

import gzip
import io
import time
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from affine import Affine
from PIL import Image

from service.errors import LoupeError
from service.geotiff.preflight import Limits
from service.geotiff.raster import read_geotiff
from service.geotiff.tiff import read_directories
from tests.support.rasters import (
    GEO_KEYS,
    directory_loop,
    handmade_tiff,
    make_noise,
    many_directories,
    one_strip_bomb,
    raw_vrt,
    shared_block_bomb,
    tiff_with_metadata,
    tiff_with_metadata_items,
    vrt,
    wms,
    write_geotiff,
)

LIMITS = Limits()


def refusal(body: bytes, limits: Limits = LIMITS) -> LoupeError:
    """Return the error that a client gets for this upload."""
    with pytest.raises(LoupeError) as caught:
        read_geotiff(body, limits)
    return caught.value


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "png")
    return file.getvalue()


HOSTILE: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "empty": (lambda: b"", 422, "damaged-tiff"),
    "header-only": (lambda: b"II*\0", 422, "damaged-tiff"),
    "random-4-kb": (lambda: b"\x93" + np.random.default_rng(1).bytes(4095), 415, "not-a-geotiff"),
    "png-renamed": (png, 415, "not-a-geotiff"),
    "vrt-local-file": (lambda: vrt("/etc/passwd").encode(), 415, "not-a-geotiff"),
    "vrt-raw-band": (lambda: raw_vrt("/etc/passwd").encode(), 415, "not-a-geotiff"),
    "vrt-vsicurl": (lambda: vrt("/vsicurl/http://127.0.0.1:9/x.tif").encode(), 415, "not-a-geotiff"),
    "wms": (lambda: wms("http://127.0.0.1:9/").encode(), 415, "not-a-geotiff"),
    "gzipped": (lambda: gzip.compress(handmade_tiff()), 415, "not-a-geotiff"),
    "unknown-version": (lambda: b"II\x2c\0" + bytes(20), 415, "not-a-geotiff"),
    "100k-shared-block": (lambda: shared_block_bomb(100_000), 413, "raster-too-large"),
    "20k-shared-block": (lambda: shared_block_bomb(20_000), 413, "raster-too-large"),
    "8k-shared-block": (
        lambda: shared_block_bomb(8_192, bits=64, sample_format=3),
        422,
        "expansion-too-large",
    ),
    "small-shared-block": (lambda: shared_block_bomb(1_024), 422, "damaged-tiff"),
    "one-strip-bomb": (
        lambda: one_strip_bomb(8_192, bits=64, sample_format=3),
        422,
        "expansion-too-large",
    ),
    "2-billion-square": (lambda: handmade_tiff(2**31 - 1, 2**31 - 1, data=b"x"), 413, "raster-too-large"),
    "0-by-0": (lambda: handmade_tiff(0, 0, data=b"x"), 422, "damaged-tiff"),
    "65535-bands": (lambda: handmade_tiff(bands=65_535), 422, "unsupported-tiff"),
    "50k-directories": (lambda: many_directories(50_000), 422, "unsupported-tiff"),
    "directory-loop": (directory_loop, 422, "damaged-tiff"),
    "offset-past-end": (lambda: handmade_tiff(offsets=[2**31]), 422, "damaged-tiff"),
    "4-gb-byte-count": (lambda: handmade_tiff(counts=[2**32 - 1]), 422, "damaged-tiff"),
    "truncated-mid-tile": (lambda: write_geotiff(make_noise(), tiled=True)[:2_000], 422, "damaged-tiff"),
    "truncated-directory": (lambda: handmade_tiff()[:-20], 422, "damaged-tiff"),
    "corrupt-deflate": (
        lambda: handmade_tiff(compression=8, data=b"\x78\x9c" + b"\xaa" * 30),
        422,
        "damaged-tiff",
    ),
    "short-deflate": (
        lambda: handmade_tiff(compression=8, data=zlib.compress(bytes(9))),
        422,
        "damaged-tiff",
    ),
    "garbage-jpeg": (
        lambda: handmade_tiff(compression=7, data=b"\xff\xd8" + b"\x55" * 60),
        422,
        "damaged-tiff",
    ),
    "giant-tile": (lambda: handmade_tiff(tile=(2**30, 2**30), data=bytes(64)), 422, "unsupported-tiff"),
    "size-without-a-place": (lambda: handmade_tiff(offsets=[0], counts=[64]), 422, "damaged-tiff"),
    "place-without-a-size": (lambda: handmade_tiff(offsets=[8], counts=[0]), 422, "damaged-tiff"),
    "20k-metadata-items": (lambda: tiff_with_metadata_items(20_000), 422, "unsupported-tiff"),
    "billion-laughs": (
        lambda: tiff_with_metadata('<!DOCTYPE x [<!ENTITY a "aaa">]><GDALMetadata>&a;</GDALMetadata>'),
        422,
        "damaged-tiff",
    ),
    "external-entity": (
        lambda: tiff_with_metadata('<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><r>&e;</r>'),
        422,
        "damaged-tiff",
    ),
    "4-bit": (lambda: handmade_tiff(bits=4), 422, "unsupported-tiff"),
    "12-bit-jpeg": (lambda: handmade_tiff(bits=12, compression=7), 422, "unsupported-tiff"),
    "12-bit-predictor": (
        lambda: handmade_tiff(bits=12, compression=5, tags=[(317, 3, [2])]),
        422,
        "unsupported-tiff",
    ),
    "complex64": (lambda: handmade_tiff(bits=64, sample_format=6, data=bytes(512)), 422, "unsupported-tiff"),
    "float16": (lambda: handmade_tiff(bits=16, sample_format=3, data=bytes(128)), 422, "unsupported-tiff"),
    "palette": (lambda: handmade_tiff(photometric=3), 422, "unsupported-tiff"),
    "unknown-codec": (lambda: handmade_tiff(compression=6), 422, "unsupported-tiff"),
    "text-width": (lambda: handmade_tiff(tags=[(266, 2, b"1\0")]), 422, "damaged-tiff"),
    "tag-twice": (lambda: handmade_tiff(tags=[(256, 4, [8])]), 422, "damaged-tiff"),
    "no-crs": (lambda: write_geotiff(make_noise(), crs=None), 422, "georeference-unusable"),
    "no-georeference": (lambda: handmade_tiff(geo=False), 422, "georeference-unusable"),
    "nan-transform": (
        lambda: handmade_tiff(geo=False, tags=[(34264, 12, [float("nan")] * 16), *GEO_KEYS]),
        422,
        "georeference-unusable",
    ),
    "singular-transform": (
        lambda: handmade_tiff(geo=False, tags=[(34264, 12, [1, 1, 0, 0, 1, 1, *[0] * 9, 1]), *GEO_KEYS]),
        422,
        "georeference-unusable",
    ),
    "step-of-nothing": (
        lambda: handmade_tiff(
            geo=False,
            tags=[(33550, 12, [1e-310, 1e-310, 0]), (33922, 12, [0, 0, 0, 5e5, 5.7e6, 0]), *GEO_KEYS],
        ),
        422,
        "georeference-unusable",
    ),
    "off-the-earth": (
        lambda: write_geotiff(make_noise(), transform=Affine(10, 0, 9e9, 0, -10, 9e9)),
        422,
        "georeference-unusable",
    ),
    "longitude-of-600": (
        lambda: write_geotiff(make_noise(), crs="EPSG:4326", transform=Affine(1e-4, 0, 600, 0, -1e-4, 9)),
        422,
        "georeference-unusable",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_read_geotiff_refuses_hostile_files_with_a_sentence(name: str) -> None:
    factory, status, code = HOSTILE[name]
    error = refusal(factory())
    assert (error.status, error.code) == (status, code), error.detail
    assert error.detail.endswith(".")
    assert "Traceback" not in error.detail
    assert "/vsimem" not in error.detail


def test_check_structure_refuses_too_many_bytes_before_reading_them() -> None:
    error = refusal(b"II*\0" + bytes(100), Limits(body_bytes=50))
    assert (error.status, error.code) == (413, "raster-too-large")


def test_read_geotiff_refuses_many_metadata_items_quickly() -> None:
    body = tiff_with_metadata_items(20_000)
    before = time.process_time()
    refusal(body)
    assert time.process_time() - before < 0.05


def test_check_structure_refuses_several_pages() -> None:
    page = handmade_tiff()
    second = bytearray(handmade_tiff())
    start = int.from_bytes(second[4:8], "little")
    moved = bytearray(page[:-4] + (len(page) + start).to_bytes(4, "little") + bytes(second))
    error = refusal(bytes(_shift(moved, len(page), start)))
    assert error.code == "unsupported-tiff"
    assert "2 pages" in error.detail


def _shift(body: bytearray, by: int, start: int) -> bytearray:
    """Increase the positions in the directory at `by + start` by `by` bytes."""
    place = by + start
    for index in range(int.from_bytes(body[place : place + 2], "little")):
        entry = place + 2 + 12 * index
        tag, kind = (int.from_bytes(body[entry + i : entry + i + 2], "little") for i in (0, 2))
        count = int.from_bytes(body[entry + 4 : entry + 8], "little")
        if tag == 273 or {3: 2, 4: 4, 12: 8}[kind] * count > 4:
            value = int.from_bytes(body[entry + 8 : entry + 12], "little") + by
            body[entry + 8 : entry + 12] = value.to_bytes(4, "little")
    return body


def test_check_structure_checks_every_directory() -> None:
    body = bytearray(write_geotiff(make_noise(), overviews=[2]))
    overview = read_directories(bytes(body), 40)[1]
    counts = overview.find(279) or overview.find(325)
    assert counts is not None
    body[counts.position : counts.position + 2] = b"\xff\xff"
    assert refusal(bytes(body)).code == "damaged-tiff"
