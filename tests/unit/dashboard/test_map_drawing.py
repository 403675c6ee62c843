"""A map of outlines: what is drawn apart, what becomes a cluster, and what lies outside a box."""

import numpy as np
import pytest

from service.dashboard import map_drawing
from service.dashboard.ground import MappedGround, Places
from service.dashboard.map_drawing import HIGHEST, LOWEST, WIDTH, Box, MapDrawing, draw_map, meets, read_box
from service.errors import InvalidInputError
from tests.support.places import place, square, squares


def draw(*places: Places, box: Box | None = None) -> MapDrawing:
    """Draw the places that meet a box; there is at least one."""
    together = np.concatenate(places)
    shown = together if box is None else together[meets(together["extent"], box)]
    drawing = draw_map(shown, squares, box)
    assert drawing is not None
    return drawing


def points_of(path: str) -> list[tuple[float, float]]:
    """Return the points of a path with one part."""
    pairs = (one.split() for one in path.removeprefix("M").removesuffix("z").split("L"))
    return [(float(x), float(y)) for x, y in pairs]


def test_map_of_nothing_is_no_map() -> None:
    assert draw_map(square(10, 50, 1)[:0], squares) is None


def test_large_ground_is_outlined_inside_the_drawing() -> None:
    drawing = draw(square(10, 50, 1), square(12, 51, 1, "planned"))
    assert not drawing.clusters
    assert [one.place.kind for one in drawing.outlines] == ["owned", "planned"]
    for one in drawing.outlines:
        for x, y in points_of(one.path):
            assert 0 <= x <= WIDTH
            assert 0 <= y <= drawing.height


def test_north_is_up_and_east_is_right() -> None:
    drawing = draw(square(10, 50, 1), square(12, 52, 1))
    (x, y), (further_x, further_y) = (points_of(one.path)[0] for one in drawing.outlines)
    assert further_x > x
    assert further_y < y


def test_square_on_the_ground_is_drawn_square_far_north() -> None:
    points = points_of(draw(square(10, 59.75, 0.5)).outlines[0].path)
    width, height = points[1][0] - points[0][0], points[0][1] - points[2][1]
    # A degree of longitude is half as long at 60 degrees.
    assert width / height == pytest.approx(0.5, rel=0.02)


def test_small_ground_side_by_side_becomes_a_cluster_that_zooms_in() -> None:
    near = [square(10 + step / 1000, 50, 0.0005, "ordered") for step in range(3)]
    alone = square(20, 55, 0.0005)
    cluster, single = sorted(draw(*near, alone).clusters, key=lambda one: -one.count)
    assert (cluster.count, cluster.kind, cluster.href) == (3, "ordered", None)
    assert (single.count, single.href) == (1, MappedGround(alone[0]).href)
    assert len(draw(*near, alone, box=read_box(cluster.box)).outlines) == 3


def test_cluster_of_several_kinds_is_mixed_and_says_how_many() -> None:
    drawing = draw(square(10, 50, 1e-4), square(10, 50, 1e-4, "planned"), square(30, 50, 1))
    (cluster,) = drawing.clusters
    assert cluster.kind == "mixed"
    assert cluster.title == "2 places: 1 owned, 1 planned. Zoom in."


def test_every_place_is_drawn_or_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    spots = np.concatenate(
        [
            square(lon, lat, side)
            for lon, lat, side in rng.uniform((-179, -60, 0), (179, 60, 12), (5_000, 3)).tolist()
        ]
    )
    drawing = draw_map(spots, squares)
    assert drawing is not None
    assert not drawing.outlines  # more than MOST_OUTLINES are large
    assert sum(one.count for one in drawing.clusters) == 5_000
    assert all(0 <= one.x <= WIDTH and 0 <= one.y <= drawing.height for one in drawing.clusters)
    assert len(drawing.clusters) < 300
    assert drawing.is_dense
    assert not draw(square(10, 50, 1e-4), square(30, 50, 1)).is_dense

    monkeypatch.setattr(map_drawing, "MOST_OUTLINES", 5_000)
    drawing = draw_map(spots, squares)
    assert drawing is not None
    assert len(drawing.outlines) > 300
    assert len(drawing.outlines) + sum(one.count for one in drawing.clusters) == 5_000


@pytest.mark.parametrize(
    ("count", "label"),
    [
        (2, "2"), (999, "999"), (1_000, "1.0k"), (1_549, "1.5k"), (9_960, "10k"), (12_345, "12k"),
        (999_600, "1.0M"),
    ],
)  # fmt: skip
def test_count_fits_into_its_cluster(count: int, label: str) -> None:
    spots = np.repeat(square(10, 50, 1e-4), count)
    (cluster,) = draw(spots, square(30, 50, 1)).clusters
    assert (cluster.count, cluster.label) == (count, label)
    assert len(cluster.label) <= 4
    assert cluster.radius <= 24
    assert cluster.title.startswith(f"{count:,} places")


def test_ground_across_the_antimeridian_is_drawn_together() -> None:
    drawing = draw(place((179.5, 10, 180.5, 11)), place((-178, 10, -177, 11), "planned"))
    west, east = ([x for x, _ in points_of(one.path)] for one in drawing.outlines)
    assert max(west) < min(east)
    assert max(west) - min(west) == pytest.approx(max(east) - min(east))
    assert {line.label for line in drawing.meridians} >= {"180° W", "179° W"}


def test_box_meets_ground_on_another_turn_around_the_earth() -> None:
    extents = np.array([(179.5, 10, 180.5, 11), (-179.9, 10, -179, 11), (0, 10, 1, 11)])
    assert meets(extents, Box(179.8, 10, 181.5, 11)).tolist() == [True, True, False]
    assert meets(extents, Box(-180.2, 10, -179.8, 11)).tolist() == [True, True, False]


@pytest.mark.parametrize("side", [1e-9, 1, 60])
def test_height_is_bounded_and_the_graticule_is_labelled(side: float) -> None:
    drawing = draw(square(-side / 2, 0, side))
    assert LOWEST <= drawing.height <= HIGHEST
    assert 2 <= len(drawing.meridians) <= 12
    assert {line.label[-1] for line in drawing.meridians} <= {"E", "W"}


THIN = ("100,53,100.00000000000003,53.00000000000001", "100,53,100.0000001,54", "100,53,101,53.0000001")


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "2,0,1,1", "0,0,1,100", "a,b,c,d", "0,1,1,1", "nan,0,1,1", *THIN]
)
def test_box_that_is_no_part_of_the_map_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="no part of the map"):
        read_box(text)


@pytest.mark.parametrize("west", [-540, -0.000001, 100, 539.9])
@pytest.mark.parametrize("south", [-90.5, 0, 53, 89.9])
def test_least_box_has_a_graticule(west: float, south: float) -> None:
    text = f"{west:f},{south:f},{west + 2e-6:f},{south + 2e-6:f}"
    drawn = draw(square(west - 0.05, south - 0.05, 0.1), box=read_box(text))

    assert drawn.meridians
    assert drawn.parallels
