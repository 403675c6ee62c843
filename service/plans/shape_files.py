"""Order shapes in the forms that order pages and GIS take: GeoJSON, WKT, KML and GeoPackage."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Annotated, Any, Literal
from xml.etree import ElementTree

import shapely
from fastapi import Depends, Header, Query, Response
from fastapi.responses import JSONResponse
from shapely.geometry import mapping, shape

from service.imagery.geojson import DECIMALS
from service.planner.objectives import count_patches
from service.plans import maps
from service.plans.geojson_schemas import JoinedShapes, ShapeCollection
from service.plans.geopackage import MEDIA_TYPE as GEOPACKAGE
from service.plans.plan_map import to_geopackage
from service.plans.qgis_styles import ORDERED
from service.plans.tables import Plan, Scene
from service.pricing.repository import terms_of
from service.pricing.tables import PriceList
from service.web.negotiation import GEO_JSON, preferred
from service.web.openapi import file_answer_of

WKT, KML = "text/plain", "application/vnd.google-earth.kml+xml"
ShapeForm = Literal["features", "multipolygon", "wkt", "kml", "gpkg"]
_BY_TYPE: Mapping[str, ShapeForm] = {WKT: "wkt", KML: "kml", GEOPACKAGE: "gpkg"}
SHAPES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ShapeCollection | JoinedShapes,
        "description": "The shapes.",
        "content": file_answer_of(WKT, "One MULTIPOLYGON in well-known text, in EPSG:4326.")
        | file_answer_of(KML, "A KML 2.2 document with a placemark for each shape.")
        | file_answer_of(GEOPACKAGE, "A GeoPackage of the shapes and all patches in the CRS of the scene."),
    }
}


def wanted_shape_form(
    form: Annotated[
        ShapeForm | None,
        Query(
            alias="as",
            description="`features`: GeoJSON with a feature for each shape; `multipolygon`: GeoJSON with one "
            "feature for all, in which shapes that share sides are joined; `wkt`: one MULTIPOLYGON as text; "
            "`kml`: a placemark for each shape; `gpkg`: a "
            "GeoPackage of the shapes and of all patches in the CRS of the scene, with styles for QGIS. "
            "Without it, the header `Accept` decides.",
        ),
    ] = None,
    accept: Annotated[
        str, Header(description="Media type of the answer: GeoJSON, plain text, KML or GeoPackage.")
    ] = "*/*",
) -> ShapeForm:
    """Return the form that `?as=` names, else the header Accept, else `features`."""
    if form is not None:
        return form
    wanted = preferred(accept, [GEO_JSON, *_BY_TYPE])
    return _BY_TYPE.get(wanted or GEO_JSON, "features")


ShapeFormDep = Annotated[ShapeForm, Depends(wanted_shape_form)]
STRAIGHT = 1e-7
"""Degrees by which a side may bend and still count as straight: about a centimetre."""
_NAMESPACE, _STYLE = "http://www.opengis.net/kml/2.2", "shape"


class GeoJsonResponse(JSONResponse):
    """A GeoJSON document."""

    media_type = GEO_JSON


def shapes_answer(form: ShapeForm, plan: Plan, scene: Scene, price_list: PriceList) -> Response:
    """Write the shapes to order of a plan, in EPSG:4326; a GeoPackage is in the CRS of the scene."""
    if form == "gpkg":
        content = to_geopackage(plan, scene, price_list)
        return Response(content, media_type=GEOPACKAGE, headers=_named(plan, form))
    document = maps.shapes_document(plan, scene, terms_of(price_list))
    about = {
        "plan": str(plan.id),
        "price_list": price_list.name,
        "price_list_version": price_list.version,
        "provider": price_list.provider,
    }
    for feature in document["features"]:
        feature["properties"] |= about
    match form:
        case "features":
            return GeoJsonResponse(document)
        case "multipolygon":
            return GeoJsonResponse(one_feature(document, about))
        case "wkt":
            text = shapely.to_wkt(whole(document["features"]), rounding_precision=DECIMALS, trim=True)
            return Response(text + "\n", media_type=WKT)
        case "kml":
            return Response(to_kml(document["features"], about), media_type=KML, headers=_named(plan, form))


def whole(features: Sequence[maps.Feature]) -> shapely.MultiPolygon:
    """Return all shapes as one valid geometry, whose outer rings run counter-clockwise (RFC 7946).

    Shapes that share an edge are one part: parts that touch along a line make a MultiPolygon invalid. Corners
    of patches on sides that are straight to a centimetre are left out, since providers count vertices.
    """
    shapes = [shape(feature["geometry"]) for feature in features]
    together = shapely.union_all(shapes, grid_size=10.0**-DECIMALS)
    return shapely.MultiPolygon(corners(together))


def corners(outline: shapely.Geometry) -> list[shapely.Polygon]:
    """Return the parts of an outline without points on straight sides, outer rings counter-clockwise."""
    # simplify() keeps the first point of a ring, so normalize() first makes it a corner.
    outlined = shapely.simplify(shapely.normalize(outline), STRAIGHT)
    return list(shapely.get_parts(shapely.orient_polygons(outlined)))


def one_feature(document: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """Write the shapes as one GeoJSON feature, with the numbers that a provider may limit."""
    together = whole(document["features"])
    bounds = {"bbox": document["bbox"]} if "bbox" in document else {}
    numbers = {
        "shapes": len(document["features"]),
        "parts": len(together.geoms),
        "vertices": _vertices(together.geoms),
        "area_km2": float(document["area_km2"]),
        "billable_km2": float(document["billable_km2"]),
    }
    return {
        "type": "Feature",
        "id": about["plan"],
        **bounds,
        "geometry": mapping(together),
        "properties": {**about, **numbers, "cost": document["cost"]},
    }


def to_kml(features: Sequence[maps.Feature], about: Mapping[str, Any]) -> bytes:
    """Write the shapes as a KML 2.2 document, outlined in red; holes are inner boundaries."""
    root = ElementTree.Element("kml", xmlns=_NAMESPACE)
    document = ElementTree.SubElement(root, "Document")
    _text(document, "name", f"Loupe plan {about['plan']}")
    # Viewers such as Google Earth show a description as HTML.
    _text(document, "description", escape(f"{about['provider']}, price list {about['price_list']}"))
    _style(document)
    for feature in features:
        placemark = ElementTree.SubElement(document, "Placemark")
        parts = corners(shape(feature["geometry"]))
        _text(placemark, "name", f"Shape {feature['id']}")
        _text(placemark, "description", f"{_size(feature['properties'])}, {_vertices(parts)} vertices")
        _text(placemark, "styleUrl", f"#{_STYLE}")
        parent = ElementTree.SubElement(placemark, "MultiGeometry") if len(parts) > 1 else placemark
        for part in parts:
            _polygon(parent, part)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _size(properties: Mapping[str, Any]) -> str:
    return f"{count_patches(properties['patches'])}, {properties['area_km2']:.6g} km2"


def _style(document: ElementTree.Element) -> None:
    red, green, blue, opacity = ORDERED
    style = ElementTree.SubElement(document, "Style", id=_STYLE)
    for kind, alpha in (("LineStyle", opacity), ("PolyStyle", opacity // 4)):
        # KML writes a colour as opacity, blue, green and red.
        _text(ElementTree.SubElement(style, kind), "color", bytes((alpha, blue, green, red)).hex())


def _polygon(parent: ElementTree.Element, part: shapely.Polygon) -> None:
    polygon = ElementTree.SubElement(parent, "Polygon")
    for number, ring in enumerate(_rings(part)):
        boundary = ElementTree.SubElement(polygon, "innerBoundaryIs" if number else "outerBoundaryIs")
        places = " ".join(f"{x:.{DECIMALS}f},{y:.{DECIMALS}f}" for x, y in ring.coords)
        _text(ElementTree.SubElement(boundary, "LinearRing"), "coordinates", places)


def _rings(part: shapely.Polygon) -> list[shapely.LinearRing]:
    return [part.exterior, *part.interiors]


def _vertices(parts: Iterable[shapely.Polygon]) -> int:
    return sum(len(ring.coords) - 1 for part in parts for ring in _rings(part))


def _text(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, name).text = text


def _named(plan: Plan, form: ShapeForm) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="plan-{plan.id}.{form}"'}
