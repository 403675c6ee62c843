"""A plan as a GeoPackage: its order shapes and its patches, in the CRS of its scene."""

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import shapely

from models.grid import GRID, PATCHES
from service.planner.order_shapes import move
from service.planner.patches import PATCH_REASONS
from service.plans.geopackage import Columns, GeoPackage, MapLayer, Place
from service.plans.maps import plan_shapes
from service.plans.patch_facts import PatchFacts
from service.plans.qgis_styles import patch_style, shape_style
from service.plans.tables import Plan, Scene
from service.pricing.billing import PriceTerms
from service.pricing.repository import terms_of
from service.pricing.tables import PriceList
from service.stopping import checkpoint

TILES_AT_ONCE = 256
"""Tiles whose outlines are computed together."""
SHAPE_COLUMNS: Columns = {
    "shape": "INTEGER",
    "patches": "INTEGER",
    "area_km2": "REAL",
    "padding_km2": "REAL",
    "plan": "TEXT",
    "provider": "TEXT",
    "price_list": "TEXT",
    "price_list_version": "INTEGER",
}
PATCH_COLUMNS: Columns = {
    "state": "TEXT",
    "tile": "INTEGER",
    "patch": "INTEGER",
    "row": "INTEGER",
    "col": "INTEGER",
    "utility": "REAL",
    "expected_objects": "REAL",
    "area_km2": "REAL",
    "cost": "REAL",
    "marginal_cost": "REAL",
    "currency": "TEXT",
    "reason": "TEXT",
    "explanation": "TEXT",
}


def to_geopackage(plan: Plan, scene: Scene, price_list: PriceList) -> bytes:
    """Write a plan as a GeoPackage with the layers `patches` and `shapes`, which QGIS opens in colour."""
    terms = terms_of(price_list)
    facts = PatchFacts.of(plan, scene, terms)
    bought = f"{plan.patches_bought:,} of {plan.tiles * PATCHES:,} patches for {plan.cost}"
    patches = MapLayer(
        name="patches",
        description=f"Patches of plan {plan.id}: buys {bought}.",
        columns=PATCH_COLUMNS,
        style=patch_style(),
    )
    shapes = MapLayer(
        name="shapes",
        description=f"Shapes to order from {price_list.provider} for plan {plan.id}.",
        columns=SHAPE_COLUMNS,
        style=shape_style(),
    )
    with GeoPackage(facts.grid.crs, plan.created_at) as file:
        file.add(patches, _patches(facts))
        file.add(shapes, _shapes(facts, terms, price_list))
        return file.to_bytes()


def _shapes(facts: PatchFacts, terms: PriceTerms, price_list: PriceList) -> Iterator[Place]:
    grid, plan = facts.grid, facts.plan
    about = (str(plan.id), price_list.provider, price_list.name, price_list.version)
    for number, shape in enumerate(plan_shapes(plan, grid, terms)):
        # Sides are straight in the scene's CRS: points along them say nothing.
        polygon = shapely.normalize(shape.polygon).simplify(0)
        placed = shapely.transform(
            polygon, lambda points: move(grid.transform, points * (grid.tile_px / GRID))
        )
        cells = (number, shape.patches, shape.area_m2 / 1e6, shape.padding_m2 / 1e6, *about)
        yield cast(shapely.Polygon, shapely.orient_polygons(placed)), cells


def _patches(facts: PatchFacts) -> Iterator[Place]:
    tiles = facts.plan.tiles
    for first in range(0, tiles, TILES_AT_ONCE):
        checkpoint()
        part = range(first, min(first + TILES_AT_ONCE, tiles))
        numbers = np.repeat(np.arange(part.start, part.stop), PATCHES)
        indices = np.tile(np.arange(PATCHES), len(part))
        outlines: Any = shapely.polygons(facts.grid.patch_corners(numbers, indices))
        for tile, index, outline, cost in zip(
            numbers.tolist(), indices.tolist(), outlines, facts.costs(part), strict=True
        ):
            known = facts.describe(tile, index, cost)
            known |= {
                "state": facts.state(tile, index),
                "patch": index,
                "explanation": PATCH_REASONS[known["reason"]],
            }
            yield outline, [known[column] for column in PATCH_COLUMNS]
