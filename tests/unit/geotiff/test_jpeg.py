"""JPEG strips and tiles: their pictures must cover them, or the rest would be whatever lies in memory."""

from typing import Any

import pytest

from service.errors import LoupeError
from service.geotiff.jpeg import frame_size
from service.geotiff.preflight import Limits
from service.geotiff.raster import read_geotiff
from tests.support.rasters import make_noise, write_geotiff

FORMS: dict[str, dict[str, Any]] = {
    "tiles": {"tiled": True, "blockxsize": 16, "blockysize": 16},
    "strips": {"blockysize": 16},
    "planes": {"interleave": "band", "tiled": True, "blockxsize": 32, "blockysize": 16},
    "colours": {"photometric": "ycbcr", "tiled": True, "blockxsize": 16, "blockysize": 32},
}


def jpeg_tiff(form: str) -> bytes:
    """Write an image of 40 x 50 pixels, whose last strip has 2 rows."""
    return write_geotiff(make_noise(height=50, width=40, dtype="uint8"), compress="jpeg", **FORMS[form])


def frames(body: bytes) -> list[int]:
    """Return the positions of the baseline frames: FF C0, a length of three bands or one, 8 bits."""
    heads = [b"\xff\xc0\x00" + bytes([8 + 3 * bands, 8]) for bands in (1, 3)]
    return [at for at in range(len(body)) if body[at : at + 5] in heads]


@pytest.mark.parametrize("form", FORMS)
def test_read_geotiff_reads_jpeg_blocks_that_are_whole(form: str) -> None:
    assert read_geotiff(jpeg_tiff(form), Limits()).pixels.shape == (3, 50, 40)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("side", [5, 7])
@pytest.mark.parametrize("block", [0, -1])
def test_read_geotiff_refuses_a_jpeg_picture_smaller_than_its_block(form: str, side: int, block: int) -> None:
    body = bytearray(jpeg_tiff(form))
    place = frames(bytes(body))[block] + side
    size = int.from_bytes(body[place : place + 2])
    body[place : place + 2] = (size - 1).to_bytes(2)
    with pytest.raises(LoupeError) as caught:
        read_geotiff(bytes(body), Limits())
    assert caught.value.code == "damaged-tiff"
    assert "holds a picture of" in caught.value.detail


def test_frame_size_passes_tables_and_padding_in_front_of_the_frame() -> None:
    stream = (
        b"\xff\xd8"
        + b"\xff\xdb\x00\x04\x00\x01"
        + b"\xff\xff\xff\x01"
        + b"\xff\xc2\x00\x0b\x08\x00\x10\x00\x20"
    )
    assert frame_size(b"abc" + stream, 3, 3 + len(stream)) == (32, 16)


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xc0\x00\x0b\x08\x00",
        b"\xff\xd8\xff\xda\x00\x02\xff\xc0\x00\x0b\x08\x00\x10\x00\x10",
        b"\xff\xd8\xff\xdb\x00\x00" + b"\xff" * 8,
        b"GIF89a" + bytes(20),
    ],
)
def test_frame_size_refuses_what_has_no_frame(stream: bytes) -> None:
    with pytest.raises(LoupeError, match="no JPEG picture"):
        frame_size(stream, 0, len(stream))
