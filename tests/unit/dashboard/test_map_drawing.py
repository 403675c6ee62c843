"""A map of outlines: what is drawn apart, what becomes a cluster, and what lies outside a box."""

import pytest

from service.dashboard.map_drawing import HIGHEST, LOWEST, WIDTH, Box, MapItem, draw_map, read_box
from service.errors import InvalidInputError


def square(lon: float, lat: float, side: float, kind: str = "owned") -> MapItem:
    ring = [(lon, lat), (lon + side, lat), (lon + side, lat + side), (lon, lat + side), (lon, lat)]
    return MapItem(kind=kind, href=f"/{lon}/{lat}", title=f"{lon} {lat}", rings=[ring])


def test_map_of_nothing_is_no_map() -> None:
    assert draw_map([]) is None
    assert draw_map([square(10, 50, 1)], Box(0, 0, 1, 1)) is None


def test_large_ground_is_outlined_inside_the_drawing() -> None:
    drawing = draw_map([square(10, 50, 1), square(12, 51, 1, "planned")])
    assert drawing is not None
    assert not drawing.clusters
    assert [one.kind for one in drawing.outlines] == ["owned", "planned"]
    for one in drawing.outlines:
        for point in one.path.removeprefix("M").removesuffix("z").split("L"):
            x, y = map(float, point.split())
            assert 0 <= x <= WIDTH
            assert 0 <= y <= drawing.height


def test_north_is_up_and_east_is_right() -> None:
    drawing = draw_map([square(10, 50, 1), square(12, 52, 1)])
    assert drawing is not None
    (x, y), (further_x, further_y) = (
        map(float, one.path.removeprefix("M").split("L")[0].split()) for one in drawing.outlines
    )
    assert further_x > x
    assert further_y < y


def test_square_on_the_ground_is_drawn_square_far_north() -> None:
    drawing = draw_map([square(10, 59.75, 0.5)])
    assert drawing is not None
    points = [tuple(map(float, one.split())) for one in drawing.outlines[0].path[1:-1].split("L")]
    width, height = points[1][0] - points[0][0], points[0][1] - points[2][1]
    assert width / height == pytest.approx(
        0.5, rel=0.02
    )  # a degree of longitude is half as long at 60 degrees


def test_small_ground_side_by_side_becomes_a_cluster_that_zooms_in() -> None:
    near = [square(10 + step / 1000, 50, 0.0005, "ordered") for step in range(3)]
    alone = square(20, 55, 0.0005)
    drawing = draw_map([*near, alone])
    assert drawing is not None
    cluster, single = sorted(drawing.clusters, key=lambda one: -one.count)
    assert (cluster.count, cluster.kind, cluster.href) == (3, "ordered", None)
    assert (single.count, single.href) == (1, alone.href)
    closer = draw_map([*near, alone], read_box(cluster.box))
    assert closer is not None
    assert len(closer.outlines) == 3


def test_cluster_of_several_kinds_is_mixed() -> None:
    drawing = draw_map([square(10, 50, 1e-4), square(10, 50, 1e-4, "planned"), square(30, 50, 1)])
    assert drawing is not None
    (cluster,) = drawing.clusters
    assert cluster.kind == "mixed"


@pytest.mark.parametrize("side", [1e-9, 1, 60])
def test_height_is_bounded_and_the_graticule_is_labelled(side: float) -> None:
    drawing = draw_map([square(-side / 2, 0, side)])
    assert drawing is not None
    assert LOWEST <= drawing.height <= HIGHEST
    assert 2 <= len(drawing.meridians) <= 12
    assert {line.label[-1] for line in drawing.meridians} <= {"E", "W"}


@pytest.mark.parametrize("text", ["", "1,2,3", "2,0,1,1", "0,0,1,100", "a,b,c,d", "0,1,1,1", "nan,0,1,1"])
def test_box_that_is_no_part_of_the_map_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="no part of the map"):
        read_box(text)
