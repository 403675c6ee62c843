"""GeoJSON answers as the OpenAPI document describes them.

They are written as plain dictionaries: models take ten times as long for the patches of a large scene. The
tests compare the answers with these schemas.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from service.web.money import MoneyOut
from service.web.paging import Link

Position = Annotated[list[float], Field(min_length=2, max_length=2)]
Ring = Annotated[list[Position], Field(min_length=4)]
BBox = Annotated[list[float], Field(min_length=4, max_length=4)]
_RINGS = "The outer ring counter-clockwise, then its holes clockwise; positions are longitude and latitude."
_BBOX = "West, south, east and north in degrees; west is greater than east across the antimeridian."


class PolygonOut(BaseModel):
    """A polygon in longitude and latitude on WGS 84 (RFC 7946)."""

    type: Literal["Polygon"] = Field(description="Kind of the geometry.")
    coordinates: list[Ring] = Field(description=_RINGS)


class MultiPolygonOut(BaseModel):
    """Polygons in longitude and latitude on WGS 84 (RFC 7946)."""

    type: Literal["MultiPolygon"] = Field(description="Kind of the geometry.")
    coordinates: list[list[Ring]] = Field(description=f"For each polygon: {_RINGS}")


Outline = Annotated[
    PolygonOut | MultiPolygonOut,
    Field(description="Outline on the ground; a MultiPolygon where it crosses the antimeridian."),
]


class PatchProperties(BaseModel):
    """The facts of a patch of a plan."""

    tile: int = Field(description="Number of the tile in the plan, from 0.")
    index: int = Field(description="Number of the patch in its tile, 0 to 15, column by column.")
    row: int = Field(description="Row of the patch in its tile, 0 to 3 from the north.")
    col: int = Field(description="Column of the patch in its tile, 0 to 3 from the west.")
    status: Literal["planned", "no-data"] = Field(description="Whether its tile has enough valid pixels.")
    selected: bool = Field(description="Whether the plan buys the patch.")
    filled: bool = Field(description="Whether it is bought because it adds nothing to the bill.")
    ground: Literal["owned", "on-order"] | None = Field(
        description="Whether its ground was owned or on order when the plan was made; null if neither."
    )
    utility: float | None = Field(description="Utility of the patch; null in a tile without data.")
    expected_objects: float | None = Field(
        description="Objects that the bundle expects in it; null where it counts none."
    )
    area_km2: float = Field(description="Area on the ellipsoid, in square kilometres.")
    cost: float = Field(description="Share of the bill in major units; 0 if it is not bought.")
    marginal_cost: float = Field(
        description="Major units that leaving it out saves, or that adding it costs if it is not bought."
    )
    currency: str = Field(description="Currency code (ISO 4217).")
    reason: str = Field(description="Code of the reason, a member of `reasons`.")


class PatchFeature(BaseModel):
    """A patch of a plan."""

    type: Literal["Feature"] = Field(description="Kind of the GeoJSON object.")
    id: str = Field(description="Tile and patch.", examples=["0/15"])
    geometry: Outline
    properties: PatchProperties = Field(description="Facts of the patch.")


class PatchPage(BaseModel):
    """A page of the patches of a plan, by tile and patch."""

    type: Literal["FeatureCollection"] = Field(description="Kind of the GeoJSON object.")
    bbox: BBox | None = Field(default=None, description=f"{_BBOX} Absent without features.")
    links: list[Link] = Field(description="Links to this page and to the next.")
    reasons: dict[str, str] = Field(description="Meaning of each code of a reason.")
    features: list[PatchFeature] = Field(description="The page's patches.")


class OrderFormProperties(BaseModel):
    """The plan and the prices that shapes were made for."""

    plan: str = Field(description="Id of the plan.")
    price_list: str = Field(description="Name of the price list.")
    price_list_version: int = Field(description="Version of the price list.")
    provider: str = Field(description="Provider that the shapes are for.")


class ShapeProperties(OrderFormProperties):
    """The facts of a shape to order."""

    shape: int = Field(description="Number of the shape in the plan, from 0.")
    patches: int = Field(description="Number of bought patches in it.")
    area_km2: float = Field(description="Area on the ellipsoid, in square kilometres.")
    padding_km2: float = Field(description="Part of the area without a bought patch, in square kilometres.")


class ShapeFeature(BaseModel):
    """A polygon to order."""

    type: Literal["Feature"] = Field(description="Kind of the GeoJSON object.")
    id: int = Field(description="Number of the shape in the plan, from 0.")
    geometry: Outline
    properties: ShapeProperties = Field(description="Facts of the shape.")


class ShapeCollection(BaseModel):
    """The shapes to order, as `as=features` writes them."""

    type: Literal["FeatureCollection"] = Field(description="Kind of the GeoJSON object.")
    bbox: BBox | None = Field(default=None, description=f"{_BBOX} Absent without features.")
    area_km2: str = Field(description="Area of the bought patches on the ellipsoid, in square kilometres.")
    billable_km2: str = Field(description="Area that the provider charges for, in square kilometres.")
    cost: MoneyOut = Field(description="Bill of the provider for all shapes.")
    features: list[ShapeFeature] = Field(description="A feature for each shape.")


class JoinedProperties(OrderFormProperties):
    """The numbers of all shapes together, which a provider may limit."""

    shapes: int = Field(description="Number of the plan's shapes.")
    parts: int = Field(description="Number of polygons; fewer than `shapes` where shapes share a side.")
    vertices: int = Field(description="Number of corners.")
    area_km2: float = Field(description="Area of the bought patches on the ellipsoid, in square kilometres.")
    billable_km2: float = Field(description="Area that the provider charges for, in square kilometres.")
    cost: MoneyOut = Field(description="Bill of the provider for all shapes.")


class JoinedShapes(BaseModel):
    """All shapes to order as one feature, as `as=multipolygon` writes them."""

    type: Literal["Feature"] = Field(description="Kind of the GeoJSON object.")
    id: str = Field(description="Id of the plan.")
    bbox: BBox | None = Field(default=None, description=f"{_BBOX} Absent without shapes.")
    geometry: MultiPolygonOut = Field(description="All shapes; those that share a side are one polygon.")
    properties: JoinedProperties = Field(description="The plan, its prices and the numbers of the shapes.")
