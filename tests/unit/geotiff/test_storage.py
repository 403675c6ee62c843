"""Ways to store pixels: packed samples, missing blocks, large canvases, compressions that are not read."""

import zlib
from typing import Any

import numpy as np
import pytest

from service.geotiff.errors import ExpansionError, UnsupportedTiffError
from service.geotiff.preflight import Limits, check_structure
from service.geotiff.raster import read_geotiff
from service.geotiff.tiff import read_directories
from tests.support.rasters import (
    handmade_tiff,
    make_noise,
    one_strip_bomb,
    tiff_with_metadata,
    tiff_with_metadata_items,
    write_geotiff,
)

LIMITS = Limits()
SQUARES: dict[str, Any] = {"tiled": True, "blockxsize": 16, "blockysize": 16}


@pytest.mark.parametrize("bits", range(9, 16))
@pytest.mark.parametrize("creation", [{}, {"interleave": "band", "compress": "zstd"}, SQUARES], ids=str)
def test_read_geotiff_unpacks_samples_of_9_to_15_bits(bits: int, creation: dict[str, Any]) -> None:
    pixels = make_noise(dtype="uint16") % 2**bits
    body = write_geotiff(pixels, NBITS=bits, **creation)
    assert set(read_directories(body, 1)[0].numbers(258)) == {bits}
    raster = read_geotiff(body, LIMITS)
    assert raster.pixels.dtype == np.uint16
    np.testing.assert_array_equal(raster.pixels, pixels)


@pytest.mark.parametrize(
    ("bits", "sample_format", "remedy"),
    [
        (1, 1, "-ot Byte -co NBITS=8"),
        (4, 1, "-ot Byte -co NBITS=8"),
        (24, 1, "-ot UInt32 -co NBITS=32"),
        (8, 2, "-ot Int16"),
        (64, 2, "-ot Float64"),
        (16, 3, "-ot Float32"),
        (64, 6, "amplitude"),
    ],
)
def test_check_structure_says_how_to_write_other_samples(bits: int, sample_format: int, remedy: str) -> None:
    with pytest.raises(UnsupportedTiffError, match=remedy):
        check_structure(handmade_tiff(bits=bits, sample_format=sample_format, data=bytes(512)), LIMITS)


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        (2, "CCITT"),
        (4, "CCITT"),
        (6, "old-style JPEG"),
        (34712, "JPEG 2000"),
        (34925, "LZMA"),
        (50001, "WebP"),
        (50002, "JPEG XL"),
        (52546, "JPEG XL"),
        (12345, "not known"),
    ],
)
def test_check_structure_names_compressions_that_are_not_read(codec: int, name: str) -> None:
    with pytest.raises(UnsupportedTiffError, match=rf"{name}.*{codec}.*COMPRESS=DEFLATE"):
        check_structure(handmade_tiff(compression=codec), LIMITS)


@pytest.mark.parametrize("creation", [{"compress": "lerc_deflate"}, {"compress": "lerc_zstd"}], ids=str)
def test_read_geotiff_reads_packed_lerc(creation: dict[str, Any]) -> None:
    np.testing.assert_array_equal(
        read_geotiff(write_geotiff(make_noise(), **creation), LIMITS).pixels, make_noise()
    )


def sparse(**creation: Any) -> tuple[bytes, np.ndarray[Any, Any]]:
    """Return a file without its empty blocks, and the pixels (3, 64, 96) that it stands for."""
    pixels = np.zeros((3, 64, 96), np.uint8)
    pixels[:, 16:32, 32:64] = make_noise(3, 16, 32)
    return write_geotiff(pixels, SPARSE_OK="TRUE", **creation), pixels


@pytest.mark.parametrize(
    "creation", [SQUARES, {**SQUARES, "interleave": "band"}, {"blockysize": 16}], ids=str
)
def test_read_geotiff_takes_blocks_left_out_as_missing_data(creation: dict[str, Any]) -> None:
    body, pixels = sparse(**creation)
    raster = read_geotiff(body, LIMITS)
    np.testing.assert_array_equal(raster.pixels, pixels)
    expected = np.zeros((64, 96), np.bool_)
    expected[16:32, 32:64] = True
    if "blockysize" in creation and "tiled" not in creation:
        expected[16:32] = True  # a strip is as wide as the raster
    np.testing.assert_array_equal(raster.valid, expected)
    assert any("SPARSE_OK" in gap.cause for gap in raster.gaps)


def test_read_geotiff_keeps_a_block_that_one_band_left_out() -> None:
    pixels = make_noise(3, 16, 16)
    pixels[2] = 0  # no red under a deep sea is data
    raster = read_geotiff(write_geotiff(pixels, SPARSE_OK="TRUE", interleave="band", **SQUARES), LIMITS)
    assert raster.valid.all()
    np.testing.assert_array_equal(raster.pixels, pixels)


def test_read_geotiff_reads_a_small_area_in_a_large_canvas() -> None:
    pixels = np.zeros((3, 2_000, 2_000), np.uint8)
    pixels[:, 900:940, 900:940] = make_noise(3, 40, 40)
    body = write_geotiff(pixels, compress="deflate", tiled=True, nodata=0)
    assert pixels.nbytes > LIMITS.expansion * len(body)
    np.testing.assert_array_equal(read_geotiff(body, LIMITS).pixels, pixels)


def test_read_geotiff_reads_a_harmless_expansion_and_refuses_the_next_byte() -> None:
    body = one_strip_bomb(2_048)
    assert read_geotiff(body, LIMITS).pixels.nbytes == 2_048**2
    with pytest.raises(ExpansionError, match=r"rio clip"):
        check_structure(body, Limits(expansion_free=2_048**2 - 1))


def test_check_structure_counts_missing_blocks_as_decoded() -> None:
    blocks = (16_384 // 512) ** 2 // 2
    body = handmade_tiff(
        16_384, 8_192, bits=32, tile=(512, 512), compression=8, data=zlib.compress(bytes(1_024)),
        offsets=[8] + [0] * (blocks - 1), counts=[12] + [0] * (blocks - 1),
    )  # fmt: skip
    with pytest.raises(ExpansionError):
        check_structure(body, LIMITS)


def test_read_geotiff_reads_descriptions_beside_much_other_metadata() -> None:
    items = "".join(f'<Item name="k{i}">{"v" * 50}</Item>' for i in range(5_000))
    named = '<Item name="DESCRIPTION" role="description" sample="0">B04</Item>'
    body = tiff_with_metadata(f"<GDALMetadata>{items}{named}</GDALMetadata>")
    assert read_geotiff(body, LIMITS).descriptions == ("B04",)
    with pytest.raises(UnsupportedTiffError, match="-nomd"):
        check_structure(tiff_with_metadata_items(20_000), LIMITS)
