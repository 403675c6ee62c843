"""Shapes as KML, which viewers show as HTML in part."""

from html import unescape
from xml.etree import ElementTree

from service.plans.shape_files import to_kml

NAMESPACE = {"kml": "http://www.opengis.net/kml/2.2"}
HOSTILE = "</description><script>x</script> & Sons"


def test_to_kml_writes_names_as_text_also_where_viewers_show_html() -> None:
    written = to_kml([], {"plan": "p", "provider": HOSTILE, "price_list": HOSTILE})
    document = ElementTree.fromstring(written)  # noqa: S314  (it is our own)

    assert len(document.findall(".//kml:description", NAMESPACE)) == 1
    shown = document.findtext(".//kml:description", namespaces=NAMESPACE)
    assert shown is not None
    assert "<" not in shown
    assert unescape(shown) == f"{HOSTILE}, price list {HOSTILE}"
