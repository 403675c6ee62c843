"""Collecting of patches from the files of one upload."""

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from service.blobs import spooling
from service.deliveries import collecting
from service.deliveries.collecting import Collected, FileUse, Wanted, collect
from service.deliveries.decoding import ReadAs, Target
from service.errors import InvalidInputError
from service.geotiff.preflight import Limits
from service.imagery.tile_grid import TileGrid

GRID = TileGrid(columns=1, rows=1, tile_px=8, transform=Affine.scale(10, -10), crs="EPSG:32633")
WANTED = Wanted(
    places=[(0, 0)],
    files={},
    target=Target(grid=GRID, size=8, scene=np.zeros((1, 3, 8, 8), np.uint8)),
    delivery_bands=None,
)


class Pixels:
    """The decoded pixels of a file."""


def test_pixels_of_a_refused_file_are_freed_before_the_next_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[weakref.ref[Pixels]] = []

    def refuse(*_: object) -> None:
        pixels = Pixels()
        decoded.append(weakref.ref(pixels))
        try:
            raise KeyError("band")
        except KeyError as error:
            raise InvalidInputError("The file is refused.") from error

    monkeypatch.setattr(collecting, "decode_file", refuse)
    collected = Collected()
    gc.disable()
    try:
        with spooling(tmp_path) as spool:
            spool.write(b"II*\0")
            collect(collected, WANTED, spool.close(), ReadAs(), Limits(), tmp_path)
        assert collected.reports[0].use is FileUse.REFUSED
        assert [one() for one in decoded] == [None]
    finally:
        gc.enable()
