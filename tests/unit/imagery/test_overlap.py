"""Ground that scenes share: exact on one lattice, by area otherwise."""

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine

from service.geotiff.ground import transform_points
from service.imagery.overlap import GridPatches, lattice_offset, near, share_ground
from service.imagery.tile_grid import TileGrid

GRID = TileGrid(
    columns=3, rows=2, tile_px=8, transform=Affine(10, 0, 400_000, 0, -10, 5_800_000), crs="EPSG:32633"
)
ALL = np.ones((6, 16), dtype=np.bool_)


def every_patch(grid: TileGrid) -> GridPatches:
    tiles, patches = np.divmod(np.arange(grid.tile_count * 16), 16)
    return GridPatches(grid=grid, tiles=tiles, patches=patches)


def some_patches(grid: TileGrid, *places: tuple[int, int]) -> GridPatches:
    tiles, patches = np.array(places).T
    return GridPatches(grid=grid, tiles=tiles, patches=patches)


def moved(grid: TileGrid, columns: float, rows: float) -> TileGrid:
    """Return a grid moved by low-resolution pixels."""
    return replace(grid, transform=grid.transform @ Affine.translation(columns, rows))


class TestOneLattice:
    def test_patches_of_the_same_grid_match_one_to_one(self) -> None:
        shared = share_ground(GRID, ALL, [some_patches(GRID, (0, 0), (4, 15))])
        assert shared.ours.tolist() == [0, 4 * 16 + 15]
        assert shared.share.tolist() == [1, 1]
        assert shared.covered.sum() == 2

    def test_crop_that_starts_at_another_patch_matches_exactly(self) -> None:
        crop = replace(moved(GRID, 2 * 5, 2 * 1), columns=1, rows=1)
        assert lattice_offset(GRID, crop) == (5, 1)
        shared = share_ground(GRID, ALL, [some_patches(crop, (0, 0), (0, 15))])
        # Column 5, row 1 is patch 5 of tile 1; column 8, row 4 is patch 0 of tile 5.
        assert shared.ours.tolist() == [16 + 5, 5 * 16]

    def test_transform_with_rounding_errors_is_the_same_lattice(self) -> None:
        assert lattice_offset(GRID, moved(GRID, 1e-5, -1e-5)) == (0, 0)

    @pytest.mark.parametrize(
        "other",
        [
            moved(GRID, 0.5, 0),
            replace(GRID, crs="EPSG:32632"),
            replace(GRID, tile_px=16),
            replace(GRID, transform=GRID.transform @ Affine.rotation(5)),
        ],
    )
    def test_another_lattice_has_no_offset(self, other: TileGrid) -> None:
        assert lattice_offset(GRID, other) is None

    def test_patches_that_are_not_wanted_are_left_out(self) -> None:
        wanted = np.zeros_like(ALL)
        wanted[2, 3] = True
        shared = share_ground(GRID, wanted, [every_patch(GRID)])
        assert shared.ours.tolist() == [2 * 16 + 3]


class TestByArea:
    def test_half_a_patch_is_half_covered(self) -> None:
        shared = share_ground(GRID, ALL, [some_patches(moved(GRID, 1, 0), (0, 0))])
        assert shared.ours.tolist() == [0, 4]
        assert shared.share == pytest.approx([0.5, 0.5], abs=1e-4)

    def test_four_patches_cover_one_between_them(self) -> None:
        shared = share_ground(GRID, ALL, [every_patch(moved(GRID, 1, 1))])
        assert shared.covered[0, 5] == pytest.approx(1, abs=1e-4)
        assert shared.covered[0, 0] == pytest.approx(0.25, abs=1e-4)

    def test_common_ground_of_two_sources_counts_once(self) -> None:
        half = some_patches(moved(GRID, 1, 0), (0, 0))
        again = some_patches(moved(GRID, 1.001, 0), (0, 0))
        shared = share_ground(GRID, ALL, [half, again])
        assert shared.covered[0, 0] == pytest.approx(0.5, abs=1e-3)

    def test_sources_that_complete_each_other_cover_a_patch(self) -> None:
        west = replace(moved(GRID, -0.99, 0), columns=1, rows=1)
        east = replace(moved(GRID, 1, 0), columns=1, rows=1)
        shared = share_ground(GRID, ALL, [some_patches(west, (0, 0)), some_patches(east, (0, 0))])
        assert shared.covered[0, 0] == pytest.approx(1, abs=1e-3)

    def test_the_same_ground_in_another_crs_is_covered(self) -> None:
        corner = transform_points(GRID.crs, "EPSG:3857", np.array([400_000.0, 5_800_000.0]))
        scale = 10 / np.cos(np.radians(52.34))
        other = TileGrid(
            columns=6, rows=6, tile_px=8, crs="EPSG:3857",
            transform=Affine(scale, 0, corner[0] - 200, 0, -scale, corner[1] + 200),
        )  # fmt: skip
        covered = share_ground(GRID, ALL, [every_patch(other)]).covered
        assert covered.min() > 0.98

    def test_sides_of_the_antimeridian_are_the_same_ground(self) -> None:
        grid = TileGrid(
            columns=2, rows=2, tile_px=8, crs="EPSG:4326", transform=Affine(1e-4, 0, 179.9992, 0, -1e-4, 52)
        )
        other = replace(grid, transform=Affine(1e-4, 0, -180.0008, 0, -1e-4, 52))
        assert share_ground(grid, ALL[:4], [every_patch(other)]).covered.min() > 0.999


class TestEnough:
    def test_earlier_sources_are_preferred(self) -> None:
        same = some_patches(GRID, (0, 0))
        shared = share_ground(GRID, ALL, [same, same, some_patches(GRID, (0, 1))])
        assert shared.source[shared.enough].tolist() == [0, 2]

    def test_several_sources_are_kept_until_a_patch_is_whole(self) -> None:
        shared = share_ground(GRID, ALL, [every_patch(moved(GRID, 1, 0)), every_patch(GRID)])
        first = shared.enough & (shared.ours == 0)
        assert shared.source[first].tolist() == [0, 1]


class TestNear:
    def test_scenes_that_touch_are_near_and_others_are_not(self) -> None:
        far = moved(GRID, 1_000, 0)
        other_zone = replace(GRID, crs="EPSG:32733")
        assert near(GRID, [GRID, moved(GRID, 12, 0), far, other_zone]) == [True, True, False, False]

    def test_no_scene_is_near_when_there_is_none(self) -> None:
        assert near(GRID, []) == []

    def test_no_source_covers_nothing(self) -> None:
        assert not share_ground(GRID, ALL, []).covered.any()
