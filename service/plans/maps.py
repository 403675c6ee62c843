"""Patches and order shapes of a plan as GeoJSON (RFC 7946): longitude and latitude on WGS 84."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from fastapi import Depends, Query, Request
from numpy.typing import NDArray

from models.grid import GRID, PATCHES
from service.geotiff.ground import to_wgs84
from service.imagery.geojson import DECIMALS, POLE, Geometry, bounds, geometry
from service.imagery.tile_grid import TileGrid
from service.planner.order_shapes import Points, Shape, compile_order, move
from service.planner.patches import PATCH_REASONS
from service.plans.arrays import PlanArrays
from service.plans.patch_facts import PatchFacts, arrangement_of
from service.plans.reading import grid_of
from service.plans.schemas import TILES_INLINE
from service.plans.tables import Plan, Scene
from service.pricing.billing import PriceTerms
from service.web.money import MoneyOut
from service.web.paging import CursorDep, encode_cursor, page_links, read_place

Feature = dict[str, Any]


@dataclass(frozen=True)
class TilePage:
    """A page of a plan's tiles: `limit` tiles from number `first`."""

    first: int
    limit: int


def tile_page(
    cursor: CursorDep,
    limit: Annotated[int, Query(ge=1, le=TILES_INLINE, description="Most tiles in a page.")] = TILES_INLINE,
) -> TilePage:
    """Read `limit` and `cursor` from the query."""
    return TilePage(0 if cursor is None else read_place(cursor, _tile), limit)


def _tile(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("no number of a tile")
    return int(text)


TilePageDep = Annotated[TilePage, Depends(tile_page)]


def patches_document(
    request: Request, plan: Plan, scene: Scene, terms: PriceTerms, page: TilePage
) -> dict[str, Any]:
    """Write the patches of a page of tiles as a FeatureCollection with links and a key to the reasons."""
    end = min(page.first + page.limit, plan.tiles)
    following = encode_cursor(str(end)) if end < plan.tiles else None
    links = [link.model_dump(exclude_none=True) for link in page_links(request, following)]
    features = patch_features(plan, scene, range(min(page.first, end), end), terms)
    return collection(features, links=links, reasons=PATCH_REASONS)


def shapes_document(plan: Plan, scene: Scene, terms: PriceTerms) -> dict[str, Any]:
    """Write the order shapes of a plan as a FeatureCollection with the provider's bill for them."""
    chosen = plan.bill["chosen"]
    return collection(
        shape_features(plan, scene, terms),
        area_km2=chosen["area_km2"],
        billable_km2=chosen["billable_km2"],
        cost=MoneyOut.of(plan.cost).model_dump(),
    )


def patch_features(plan: Plan, scene: Scene, tiles: range, terms: PriceTerms) -> list[Feature]:
    """Write every patch of a range of tiles, by tile and index, with its decision and the reason.

    The `cost` of a bought patch is its share of the bill; the shares of all patches sum to the bill exactly.
    Its `marginal_cost` is the saving from leaving it out; for another patch, the cost of adding it.
    """
    facts = PatchFacts.of(plan, scene, terms)
    numbers = np.repeat(np.arange(tiles.start, tiles.stop), PATCHES)
    indices = np.tile(np.arange(PATCHES), len(tiles))
    return [
        _feature(f"{tile}/{index}", place, **facts.describe(tile, index, cost))
        for tile, index, place, cost in zip(
            numbers.tolist(),
            indices.tolist(),
            outlines(facts.grid, numbers, indices),
            facts.costs(tiles),
            strict=True,
        )
    ]


def outlines(grid: TileGrid, tiles: NDArray[np.intp], patches: NDArray[np.intp]) -> list[Geometry]:
    """Return the geometries of patches (N,) of tiles (N,)."""
    rings = grid.patch_rings_wgs84(tiles, patches)
    plain_places = np.all(np.abs(rings) < (180, POLE), axis=(1, 2))
    # Beside a pole the sides of a patch leap over many degrees of longitude.
    within = (plain_places & (np.abs(np.diff(rings[..., 0])) < 10).all(axis=1)).tolist()
    # Most patches cross no antimeridian: writing their rings directly saves a call of shapely for each.
    plain: list[Any] = rings.round(DECIMALS).tolist()
    return [
        {"type": "Polygon", "coordinates": [plain[at]]} if inside else geometry([rings[at]])
        for at, inside in enumerate(within)
    ]


def shape_features(plan: Plan, scene: Scene, terms: PriceTerms) -> list[Feature]:
    """Write the polygons to order: bought patches that share an edge form one, unless a rule splits them."""
    grid = grid_of(scene)
    return [
        _shape_feature(grid, number, shape) for number, shape in enumerate(plan_shapes(plan, grid, terms))
    ]


def plan_shapes(plan: Plan, grid: TileGrid, terms: PriceTerms) -> tuple[Shape, ...]:
    """Compile the shapes that a plan was billed for, on the lattice of its scene's patches."""
    arrays = PlanArrays.of(plan)
    areas = grid.patch_areas_m2()
    return compile_order(arrays.selected, areas, grid.columns, terms, arrays.arranged, arrangement_of(plan))


def _shape_feature(grid: TileGrid, number: int, shape: Shape) -> Feature:
    rings = (shape.polygon.exterior, *shape.polygon.interiors)
    return _feature(
        number,
        geometry([lattice_to_wgs84(grid, np.asarray(ring.coords)) for ring in rings]),
        shape=number,
        patches=shape.patches,
        area_km2=shape.area_m2 / 1e6,
        padding_km2=shape.padding_m2 / 1e6,
    )


def lattice_to_wgs84(grid: TileGrid, points: Points) -> Points:
    """Convert lattice points (N, 2), counted in patches, to longitude and latitude."""
    return to_wgs84(grid.crs, move(grid.transform, points * (grid.tile_px / GRID)))


def collection(features: Sequence[Feature], **members: Any) -> dict[str, Any]:
    """Return a FeatureCollection with its bounding box; `members` are foreign members."""
    document: dict[str, Any] = {"type": "FeatureCollection"}
    if features:
        document["bbox"] = bounds([feature["geometry"] for feature in features])
    return document | members | {"features": list(features)}


def _feature(feature_id: str | int, geometry: Geometry, **properties: Any) -> Feature:
    return {"type": "Feature", "id": feature_id, "geometry": geometry, "properties": properties}
