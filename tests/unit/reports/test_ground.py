"""The share of a scene's area that other scenes do not cover."""

from dataclasses import replace
from fractions import Fraction
from uuid import UUID

import numpy as np
import pytest
from affine import Affine

from service.geotiff.ground import transform_points
from service.imagery.tile_grid import TileGrid
from service.reports.ground import CountedGround, Ground
from service.reports.kept_values import KeptValues
from service.stopping import CallerGoneError, Stop, under


def make_scene(
    x: float = 500_000, y: float = 5_300_000, *, columns: int = 4, rows: int = 4, crs: str = "EPSG:32632",
    step: float = 10.0, planned: bytes | None = None,
) -> Ground:  # fmt: skip
    grid = TileGrid(columns=columns, rows=rows, tile_px=8, transform=Affine(step, 0, x, 0, -step, y), crs=crs)
    return Ground(grid, planned or b"\1" * (columns * rows))


def uncovered(scene: Ground, *earlier: Ground) -> float:
    covered = CountedGround()
    for one in earlier:
        covered.add(one)
    return float(covered.uncovered(scene))


def test_same_tiles_of_the_same_grid_are_covered_exactly() -> None:
    covered = CountedGround()
    covered.add(make_scene())

    assert covered.uncovered(make_scene()) == Fraction(0)


GREY = bytes([100] * 64)


@pytest.mark.parametrize(
    ("days", "samples", "new"),
    [
        (("2026-05-01", "2026-06-01"), (GREY, bytes([130] * 64)), 1),
        (("2026-05-01", "2026-06-01"), (GREY, GREY), 0),  # equal pixels
        (("2026-05-01", "2026-05-01"), (GREY, bytes([130] * 64)), 0),
        ((None, "2026-05-01"), (GREY, bytes([130] * 64)), 1),
        ((None, None), (GREY, bytes([104] * 64)), 0),  # another compression
        ((None, None), (GREY, bytes([105] * 64)), 1),
        ((None, None), (GREY, b""), 0),  # read before pixels were sampled
    ],
)
def test_new_acquisition_of_the_same_ground_is_not_covered(
    days: tuple[str | None, str | None], samples: tuple[bytes, bytes], new: int
) -> None:
    earlier, later = (
        replace(make_scene(), acquired_on=day, sample=sample)
        for day, sample in zip(days, samples, strict=True)
    )

    assert uncovered(later, earlier) == new


def test_acquisitions_on_other_grids_are_told_apart_by_their_days_only() -> None:
    shifted = replace(make_scene(500_160), sample=bytes([200] * 64))

    assert uncovered(shifted, replace(make_scene(), sample=GREY)) == pytest.approx(0.5, abs=1e-6)
    dated = replace(shifted, acquired_on="2026-06-01")
    assert uncovered(dated, replace(make_scene(), acquired_on="2026-05-01")) == 1


def test_scenes_that_only_touch_or_lie_apart_are_not_covered() -> None:
    assert uncovered(make_scene(), make_scene(500_320), make_scene(y=5_300_320), make_scene(900_000)) == 1


@pytest.mark.parametrize("share", [0.125, 0.5, 0.9])
def test_overlap_in_one_crs_is_measured_by_area(share: float) -> None:
    assert uncovered(make_scene(), make_scene(500_000 + 320 * share)) == pytest.approx(share, abs=1e-6)


def test_scenes_that_overlap_each_other_are_not_counted_twice() -> None:
    left, middle = make_scene(500_000 - 160), make_scene(500_000 - 80)

    assert uncovered(make_scene(), left, middle) == pytest.approx(0.25, abs=1e-6)


def test_overlap_is_measured_across_coordinate_systems() -> None:
    from_webmercator = transform_points("EPSG:32632", "EPSG:3857", np.array([500_160.0, 5_300_000.0]))
    other = make_scene(*from_webmercator, columns=8, rows=8, crs="EPSG:3857", step=15.0)

    assert uncovered(make_scene(), other) == pytest.approx(0.5, abs=0.01)


def test_tiles_without_data_cover_nothing() -> None:
    west = make_scene(planned=b"\1\1\0\0" * 4)
    east = make_scene(planned=b"\0\0\1\1" * 4)

    assert uncovered(east, west) == 1
    assert uncovered(make_scene(), west) == pytest.approx(0.5, abs=1e-6)


def test_overlap_is_measured_across_the_180th_meridian() -> None:
    one = make_scene(179.9, 10, columns=8, crs="EPSG:4326", step=0.005)
    two = make_scene(-179.94, 10, columns=4, crs="EPSG:4326", step=0.005)

    assert uncovered(two, one) == pytest.approx(0, abs=1e-6)


def test_ground_without_any_data_is_not_covered() -> None:
    assert uncovered(make_scene(planned=b"\0" * 16), make_scene()) == 1


def checkerboard(number: int) -> Ground:
    """Return a scene of 2,500 tiles, of which no two with data share a side; each lies elsewhere."""
    board = (np.indices((50, 50)).sum(axis=0) % 2).astype(np.uint8).tobytes()
    return make_scene(500_000 + 7 * number, columns=50, rows=50, planned=board)


def test_comparison_is_stopped_between_two_outlines() -> None:
    stop = Stop()
    stop.end(CallerGoneError("The client has gone."))

    with under(stop), pytest.raises(CallerGoneError):
        uncovered(checkerboard(0), checkerboard(1))


def test_outlines_that_are_kept_are_bounded_by_their_corners(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptValues(25_000)
    monkeypatch.setattr("service.reports.ground._OUTLINES", kept)
    monkeypatch.setattr("service.reports.ground._PARTS", KeptValues(10))

    uncovered(checkerboard(0), checkerboard(1), checkerboard(2))

    assert 0 < kept.size <= 25_000


def test_grounds_of_two_workspaces_share_nothing_that_is_kept() -> None:
    scene = make_scene()
    keys = {scene.key, replace(scene, owner=UUID(int=1)).key, replace(scene, owner=UUID(int=2)).key}

    assert len(keys) == 3
    assert replace(scene).key == scene.key
