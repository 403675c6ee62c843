"""Extents of scenes, of many at once."""

import numpy as np
import pytest
import shapely
from affine import Affine

from service.imagery.extents import beside, extent_around, extents_wgs84
from service.imagery.tile_grid import TileGrid

IN_UTM = TileGrid(columns=3, rows=2, tile_px=8, transform=Affine(10, 0, 5e5, 0, -10, 5.3e6), crs="EPSG:32633")
IN_DEGREES = TileGrid(
    columns=4, rows=2, tile_px=10, transform=Affine(0.01, 0, -3, 0, -0.01, 7), crs="EPSG:4326"
)
ACROSS = TileGrid(
    columns=4, rows=2, tile_px=10, transform=Affine(0.01, 0, 179.9, 0, -0.01, 7), crs="EPSG:4326"
)
AROUND_THE_POLE = TileGrid(
    columns=10, rows=10, tile_px=10, transform=Affine(1000, 0, -5e4, 0, -1000, 5e4), crs="EPSG:3413"
)


def test_extents_of_grids_in_several_systems_are_those_of_their_footprints() -> None:
    grids = [IN_UTM, IN_DEGREES, IN_UTM]
    expected = [shapely.geometry.shape(one.footprint_wgs84()).bounds for one in grids]
    assert extents_wgs84(grids) == pytest.approx(np.array(expected), abs=1e-5)


def test_extent_across_the_antimeridian_continues_beyond_180_degrees() -> None:
    assert extents_wgs84([ACROSS]) == pytest.approx(np.array([(179.9, 6.8, 180.3, 7)]))


def test_extent_around_a_pole_has_every_longitude() -> None:
    ((west, south, east, north),) = extents_wgs84([AROUND_THE_POLE]).tolist()
    assert (west, east, north) == (-180, 180, 90)
    assert 89 < south < 90


def test_no_grid_has_no_extent() -> None:
    assert extents_wgs84([]).shape == (0, 4)


@pytest.mark.parametrize(
    ("extents", "around"),
    [
        ([(10, 1, 11, 2), (12, 0, 13, 1)], (10, 0, 13, 2)),
        ([(179, 1, 181, 2), (-178, 0, -177, 1)], (179, 0, 183, 2)),
        ([(-180, 80, 180, 90), (10, 1, 11, 2)], (-180, 1, 180, 90)),
        ([(-100, 0, -99, 1), (100, 0, 101, 1)], (100, 0, 261, 1)),
    ],
)
def test_extent_around_several_takes_the_shortest_way(
    extents: list[tuple[float, ...]], around: tuple[float, ...]
) -> None:
    assert tuple(extent_around(np.array(extents, float)).tolist()) == around


def test_extents_are_moved_to_the_turn_beside_a_longitude() -> None:
    extents = np.array([(179.0, 0, 181, 1), (-179.0, 0, -178, 1)])
    assert beside(extents, 170)[:, 0].tolist() == [179, 181]
    assert beside(extents, -170)[:, 0].tolist() == [-181, -179]
