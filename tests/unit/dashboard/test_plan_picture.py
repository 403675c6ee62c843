"""The drawing over a scene: places, proportions, padding, and density of many tiles."""

import numpy as np
import pytest
import shapely
from affine import Affine

from service.dashboard.plan_picture import SHADES, WIDTH, Drawing, draw, scale_bar
from service.dashboard.windows import Window, whole, window_of
from service.imagery.tile_grid import TileGrid
from service.planner.order_shapes import Shape
from service.plans.arrays import PlanArrays


def make_grid(columns: int, rows: int, crs: str = "EPSG:32632", latitude: float = 0.0) -> TileGrid:
    transform = (
        Affine(10, 0, 500_000, 0, -10, 5_300_000)
        if crs == "EPSG:32632"
        else Affine(1e-4, 0, 13.0, 0, -1e-4, latitude)
    )
    return TileGrid(columns=columns, rows=rows, tile_px=8, transform=transform, crs=crs)


def make_arrays(grid: TileGrid, *bought: tuple[int, int], no_data: int | None = None) -> PlanArrays:
    selected = np.zeros((grid.tile_count, 16), dtype=np.bool_)
    for place in bought:
        selected[place] = True
    valid = np.ones(grid.tile_count, np.float32)
    if no_data is not None:
        valid[no_data] = 0
    return PlanArrays(
        utilities=np.zeros(selected.shape, np.float32),
        valid_share=valid,
        counts=None,
        selected=selected,
        filled=np.zeros_like(selected),
        ground=np.zeros(selected.shape, np.uint8),
        reuses=True,
    )


def layer(drawing: Drawing, kind: str) -> str:
    return next((one.path for one in drawing.layers if one.kind == kind), "")


def test_bought_patch_lies_in_its_column_and_row() -> None:
    grid = make_grid(2, 1)
    drawing = draw(grid, make_arrays(grid, (1, 6)), (), whole(grid))
    # Patch 6 is in column 1 and row 2 of tile 1: in column 5 and row 2 of 8 x 4 patches, each 125 units wide.
    assert layer(drawing, "bought") == "M633.75 258.75h107.5v107.5h-107.5z"
    assert (drawing.height, drawing.is_dense) == (500, False)


def test_window_shows_only_its_own_patches() -> None:
    grid = make_grid(2, 1)
    window = Window(left=0, top=0, columns=1, rows=1)
    assert layer(draw(grid, make_arrays(grid, (1, 6)), (), window), "bought") == ""


@pytest.mark.parametrize(("latitude", "height"), [(0.0, WIDTH), (60.0, 2 * WIDTH)])
def test_pixels_in_degrees_keep_their_proportions_on_the_ground(latitude: float, height: float) -> None:
    grid = make_grid(3, 3, "EPSG:4326", latitude)
    assert draw(grid, make_arrays(grid), (), whole(grid)).height == pytest.approx(height, rel=0.02)


def test_padding_is_the_part_of_a_shape_that_no_bought_patch_covers() -> None:
    grid = make_grid(1, 1)
    shape = Shape(polygon=shapely.box(0, 0, 2, 1), patches=1, area_m2=800.0, padding_m2=400.0)
    drawing = draw(grid, make_arrays(grid, (0, 0)), [shape], whole(grid))
    ring = layer(drawing, "padding").removeprefix("M").removesuffix("z").split("L")
    places = [tuple(map(float, point.split())) for point in ring]
    assert set(places) == {(250.0, 0.0), (500.0, 0.0), (500.0, 250.0), (250.0, 250.0)}
    assert layer(drawing, "shape").count("M") == 1


def test_shape_without_padding_hatches_nothing() -> None:
    grid = make_grid(1, 1)
    shape = Shape(polygon=shapely.box(0, 0, 1, 1), patches=1, area_m2=400.0)
    assert layer(draw(grid, make_arrays(grid, (0, 0)), [shape], whole(grid)), "padding") == ""


def test_tile_without_data_says_so() -> None:
    grid = make_grid(2, 1)
    drawing = draw(grid, make_arrays(grid, (0, 0), no_data=1), (), whole(grid))
    assert [spot.title for spot in drawing.spots] == [
        "Tile 0: 1 of 16 patches bought.",
        "Tile 1 has too few valid pixels and is not planned.",
    ]


def test_many_tiles_are_drawn_as_shares_that_lead_to_windows_with_patches() -> None:
    grid = make_grid(64, 32)
    everything = [(0, patch) for patch in range(16)]
    drawing = draw(grid, make_arrays(grid, *everything, (2, 0)), (), whole(grid))
    assert drawing.is_dense
    assert not drawing.layers
    assert len(drawing.spots) == 32 * 16  # cells of 2 x 2 tiles
    first, second, third = drawing.spots[:3]
    assert (first.title, first.shade) == ("16 of 64 patches bought. Zoom in.", 2)
    assert (second.title, second.shade) == ("1 of 64 patches bought. Zoom in.", 1)
    assert third.shade == 0
    assert window_of(grid, first.window, None).is_detailed


def test_cell_of_which_everything_is_bought_has_the_last_shade() -> None:
    grid = make_grid(32, 17)
    drawing = draw(grid, make_arrays(grid, *((0, patch) for patch in range(16))), (), whole(grid))
    assert drawing.spots[0].shade == SHADES


@pytest.mark.parametrize(
    ("units_per_m", "label", "length"), [(2.0, "100 m", 200.0), (0.9, "200 m", 180.0), (0.05, "2 km", 100.0)]
)
def test_scale_bar_is_a_round_length(units_per_m: float, label: str, length: float) -> None:
    bar = scale_bar(units_per_m)
    assert bar.label == label
    assert bar.length == pytest.approx(length)
