"""Styles (QML) with which QGIS draws the patches and order shapes of a plan."""

from collections.abc import Mapping
from xml.etree import ElementTree

from service.plans.patch_facts import STATES
from service.plans.preview import FILLED, ON_ORDER, OWNED, WANTED

Colour = tuple[int, int, int, int]
_EDGE: Colour = (20, 20, 20, 90)
_FAINT: Colour = (128, 128, 128, 90)
_FILLS: Mapping[str, Colour] = {
    "bought": (*WANTED[:3], 150),
    "filled": (*FILLED[:3], 150),
    "padding": (200, 90, 40, 120),
    "owned": (*OWNED[:3], 130),
    "on-order": (*ON_ORDER[:3], 130),
    "unbought": (255, 255, 255, 0),
    "no-data": (90, 90, 90, 60),
}
_OUTLINE_ONLY: Colour = (0, 0, 0, 0)
ORDERED: Colour = (190, 30, 60, 255)
"""Red, green, blue and opacity of the outline of a shape to order."""


def patch_style() -> str:
    """Draw each patch in the colour of its state; the legend names the states."""
    document, renderer = _begin("categorizedSymbol")
    renderer.set("attr", "state")
    categories = ElementTree.SubElement(renderer, "categories")
    symbols = ElementTree.SubElement(renderer, "symbols")
    for number, (state, label) in enumerate(STATES.items()):
        ElementTree.SubElement(
            categories, "category", value=state, label=label, symbol=str(number), render="true", type="string"
        )
        _fill(symbols, number, _FILLS[state], _FAINT if state == "unbought" else _EDGE, "0.1")
    return _end(document)


def shape_style() -> str:
    """Draw each order shape as a red outline."""
    document, renderer = _begin("singleSymbol")
    _fill(ElementTree.SubElement(renderer, "symbols"), 0, _OUTLINE_ONLY, ORDERED, "0.6")
    return _end(document)


def _begin(kind: str) -> tuple[ElementTree.Element, ElementTree.Element]:
    document = ElementTree.Element("qgis", version="3.28.0", styleCategories="Symbology")
    renderer = ElementTree.SubElement(
        document, "renderer-v2", type=kind, forceraster="0", symbollevels="0", enableorderby="0"
    )
    return document, renderer


def _fill(symbols: ElementTree.Element, number: int, fill: Colour, edge: Colour, width_mm: str) -> None:
    symbol = ElementTree.SubElement(
        symbols, "symbol", type="fill", name=str(number), alpha="1", force_rhr="0"
    )
    layer = ElementTree.SubElement(
        symbol, "layer", {"class": "SimpleFill", "pass": "0", "locked": "0", "enabled": "1"}
    )
    options = ElementTree.SubElement(layer, "Option", type="Map")
    for name, value in {
        "color": _written(fill),
        "style": "solid",
        "outline_color": _written(edge),
        "outline_style": "solid",
        "outline_width": width_mm,
        "outline_width_unit": "MM",
    }.items():
        ElementTree.SubElement(options, "Option", name=name, type="QString", value=value)


def _written(colour: Colour) -> str:
    return ",".join(map(str, colour))


def _end(document: ElementTree.Element) -> str:
    return "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + ElementTree.tostring(
        document, encoding="unicode"
    )
