"""The pre-flight of uploads: files that it accepts, and what is read of them."""

import os
from typing import Any

import numpy as np
import pytest

from service.geotiff.preflight import Limits, check_structure, neutralise
from service.geotiff.raster import read_geotiff
from service.geotiff.tiff import read_directories
from tests.support.rasters import (
    UTM32,
    UTM_10M,
    handmade_tiff,
    make_noise,
    tiff_with_metadata,
    write_geotiff,
)

LIMITS = Limits()


@pytest.mark.parametrize(
    "creation",
    [
        {"compress": "lzw", "predictor": 2},
        {"compress": "deflate", "tiled": True, "blockxsize": 16, "blockysize": 16},
        {"compress": "zstd", "interleave": "band"},
        {"compress": "packbits"},
        {"compress": "lerc"},
        {"bigtiff": "yes", "tiled": True, "blockxsize": 16, "blockysize": 16},
        {"endianness": "big"},
        {"photometric": "rgb"},
    ],
    ids=lambda creation: "-".join(map(str, creation.values())),
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_read_geotiff_returns_exactly_what_gdal_wrote(creation: dict[str, Any], dtype: str) -> None:
    if dtype.startswith("float") and creation.get("predictor") == 2:
        creation = {**creation, "predictor": 3}
    pixels = make_noise(dtype=dtype)
    raster = read_geotiff(write_geotiff(pixels, **creation), LIMITS)
    np.testing.assert_array_equal(raster.pixels, pixels)
    assert raster.valid.all()
    assert (raster.transform, raster.crs) == (UTM_10M, UTM32)


def test_read_geotiff_converts_jpeg_ycbcr_to_rgb() -> None:
    pixels = np.full((3, 64, 64), 10, np.uint8)
    pixels[0] = 200
    raster = read_geotiff(write_geotiff(pixels, compress="jpeg", photometric="ycbcr", tiled=True), LIMITS)
    assert np.abs(raster.pixels.astype(int) - pixels).max() < 6
    assert raster.colours == ("red", "green", "blue")


def test_read_geotiff_honours_the_internal_mask_and_ignores_overviews() -> None:
    mask = np.zeros((32, 40), np.bool_)
    mask[:, :10] = True
    body = write_geotiff(make_noise(), mask=mask, overviews=[2, 4])
    assert len(read_directories(body, 40)) == 6
    raster = read_geotiff(body, LIMITS)
    np.testing.assert_array_equal(raster.valid, mask)


def test_neutralise_keeps_the_image_and_its_mask_without_metadata() -> None:
    body = write_geotiff(make_noise(), mask=np.ones((32, 40), np.bool_), overviews=[2], descriptions="RGB")
    copy = bytes(neutralise(body, check_structure(body, LIMITS)))
    assert len(copy) == len(body)
    directories = read_directories(copy, 40)
    assert [directory.number(254, 0) for directory in directories] == [0, 4]
    assert not any(directory.find(42112) for directory in directories)
    assert any(directory.find(42112) for directory in read_directories(body, 40))


def test_neutralise_cuts_overviews_off_without_a_mask() -> None:
    body = write_geotiff(make_noise(), overviews=[2, 4])
    assert len(read_directories(body, 40)) == 3
    assert len(read_directories(bytes(neutralise(body, check_structure(body, LIMITS))), 40)) == 1


def with_reversed_entries(body: bytes) -> bytes:
    """Write the entries of a directory in falling order, of which libtiff takes the later."""
    directory = read_directories(body, 40)[0]
    size, start = directory.layout.entry_bytes, directory.offset + directory.layout.count_bytes
    entries = [body[start + size * index :][:size] for index in range(len(directory.entries))]
    return body[:start] + b"".join(reversed(entries)) + body[start + size * len(entries) :]


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(
    ("tile", "others", "kept"), [(None, (324, 325), (273, 279)), ((16, 16), (273, 279), (324, 325))]
)
def test_neutralise_keeps_only_the_strips_or_tiles_that_were_checked(
    ordered: bool, tile: tuple[int, int] | None, others: tuple[int, int], kept: tuple[int, int]
) -> None:
    """A second pair, which no check has seen, could lead the decoder to other bytes."""
    place, size = others
    body = handmade_tiff(tile=tile, data=bytes(range(256)), tags=[(place, 4, [10]), (size, 4, [9])])
    body = body if ordered else with_reversed_entries(body)
    copy = bytes(neutralise(body, check_structure(body, LIMITS)))

    (image,) = read_directories(copy, 40)
    assert [image.find(tag) is not None for tag in (*others, *kept)] == [False, False, True, True]
    assert [entry.tag for entry in image.entries] == sorted(entry.tag for entry in image.entries)
    assert (read_geotiff(body, LIMITS).pixels[0, :, 0] == np.arange(8) * (16 if tile else 8)).all()


def test_read_geotiff_reads_a_polyglot_as_a_tiff() -> None:
    body = handmade_tiff() + b"PK\x03\x04" + os.urandom(1_000)
    assert read_geotiff(body, LIMITS).pixels.shape == (1, 8, 8)


def test_read_metadata_replaces_control_characters() -> None:
    item = '<Item name="n" role="description" sample="0">&lt;script&gt;alert(1)&lt;/script&gt;\x01\x7f</Item>'
    raster = read_geotiff(tiff_with_metadata(f"<GDALMetadata>{item}</GDALMetadata>"), LIMITS)
    description = raster.descriptions[0]
    assert description is not None
    assert description.startswith("<script>")
    assert "\x01" not in description


def test_read_geotiff_keeps_descriptions_scales_and_offsets() -> None:
    body = write_geotiff(
        make_noise(dtype="uint16"), descriptions=["B04", "B03", "B02"], scales=[1e-4] * 3, offsets=[-0.1] * 3
    )
    raster = read_geotiff(body, LIMITS)
    assert raster.descriptions == ("B04", "B03", "B02")
    assert raster.scales == (1e-4,) * 3
    assert raster.offsets == (-0.1,) * 3


def test_read_metadata_keeps_items_of_the_file() -> None:
    xml = '<Item name="PROCESSING_BASELINE">05.09</Item><Item name="BOA_ADD_OFFSET" sample="0">-1000</Item>'
    raster = read_geotiff(tiff_with_metadata(f"<GDALMetadata>{xml}</GDALMetadata>"), LIMITS)
    assert raster.items == {"processing_baseline": "05.09", "boa_add_offset": "-1000"}


def test_read_metadata_bounds_number_and_length_of_items() -> None:
    many = "".join(f'<Item name="k{number}">{"v" * 210}</Item>' for number in range(260))
    items = read_geotiff(tiff_with_metadata(f"<GDALMetadata>{many}</GDALMetadata>"), LIMITS).items
    assert len(items) == 256
    assert {len(text) for text in items.values()} == {200}


@pytest.mark.parametrize("last", [False, True])
def test_read_geotiff_decodes_the_blocks_that_were_checked_when_strips_and_tiles_are_given(
    last: bool,
) -> None:
    checked, other = bytes([7]) * 256, bytes([9]) * 256
    strips = [(273, 4, [8 + 256]), (278, 4, [16]), (279, 4, [256])]
    body = handmade_tiff(16, 16, tile=(16, 16), data=checked + other, offsets=[8], counts=[256], tags=strips)
    raster = read_geotiff(_with_strips_last(body) if last else body, LIMITS)
    assert set(raster.pixels.ravel().tolist()) == {7}


def _with_strips_last(body: bytes) -> bytes:
    start = int.from_bytes(body[4:8], "little") + 2
    entries = [body[at : at + 12] for at in range(start, len(body) - 4, 12)]
    entries.sort(key=lambda entry: int.from_bytes(entry[:2], "little") in (273, 278, 279))
    return body[:start] + b"".join(entries) + body[-4:]
