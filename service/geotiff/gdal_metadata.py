"""GDAL's own XML tag (42112), parsed here so that GDAL never sees it.

Through this tag a genuine GeoTIFF can make GDAL open other files and URLs (OVERVIEW_FILE, GEOLOCATION).
Loupe takes four harmless facts per band from it (description, scale, offset and colour interpretation), and
the text of a bounded number of other items, such as PROCESSING_BASELINE.
"""

import math
import re
from dataclasses import dataclass, field, replace
from xml.parsers import expat

from service.geotiff.errors import DamagedTiffError, UnsupportedTiffError

MAX_BYTES = 1024 * 1024
_MAX_DESCRIPTION = 200  # characters
_MAX_ITEMS, _MAX_ITEM_NAME = 256, 100  # a SAFE folder's metadata has about a hundred items
_ROLES = frozenset({"description", "scale", "offset", "colorinterp"})
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")


@dataclass(frozen=True)
class BandMetadata:
    """Facts that the XML states about single bands, by band number counted from 0, and its other items."""

    descriptions: dict[int, str] = field(default_factory=dict)
    scales: dict[int, float] = field(default_factory=dict)
    offsets: dict[int, float] = field(default_factory=dict)
    colours: dict[int, str] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)  # by name, lower case; the first of a name counts


def read_metadata(raw: bytes) -> BandMetadata:
    """Parse tag 42112; raise 422 when it is over 1 MiB, declares a document type or is not XML."""
    if len(raw) > MAX_BYTES:
        raise UnsupportedTiffError(
            f"The file's GDAL metadata (TIFF tag 42112) has {len(raw)} bytes. At most {MAX_BYTES} are read. "
            "Write the file without it (gdal_translate -nomd).",
            metadata_bytes=len(raw),
        )
    text = _CONTROL.sub("\ufffd", raw.rstrip(b"\0").decode("utf-8", errors="replace"))
    metadata = BandMetadata()
    if text.strip():
        _parse(text, _Items(metadata))
    return metadata


def with_text(metadata: BandMetadata, texts: dict[str, bytes]) -> BandMetadata:
    """Return metadata with the text of TIFF tags as further items, by the names that GDAL gives them."""
    read = {
        name: _CONTROL.sub(" ", raw[:_MAX_DESCRIPTION].split(b"\0")[0].decode("utf-8", errors="replace"))
        for name, raw in texts.items()
    }
    items = {name: text.strip() for name, text in read.items() if text.strip()}
    return replace(metadata, items=items | metadata.items)


class _Items:
    """Collector of the `Item` elements that describe a band or the whole file."""

    def __init__(self, metadata: BandMetadata) -> None:
        self._metadata = metadata
        self._item: tuple[str, int] | None = None
        self._name = ""
        self._text: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._item, self._name, self._text = None, "", []
        role, sample = attributes.get("role", ""), attributes.get("sample", "")
        if name == "Item" and role in _ROLES and sample.isascii() and sample.isdecimal() and len(sample) < 6:
            self._item = role, int(sample)
        elif name == "Item" and not role and len(self._metadata.items) < _MAX_ITEMS:
            self._name = attributes.get("name", "").lower()[:_MAX_ITEM_NAME]

    def text(self, text: str) -> None:
        if self._item or self._name:
            self._text.append(text)

    def end(self, _name: str) -> None:
        text = "".join(self._text).strip()
        if self._item:
            self._keep(*self._item, text)
        elif self._name:
            self._metadata.items.setdefault(self._name, text[:_MAX_DESCRIPTION])
        self._item, self._name, self._text = None, "", []

    def _keep(self, role: str, band: int, text: str) -> None:
        if role == "description":
            self._metadata.descriptions[band] = text[:_MAX_DESCRIPTION]
        elif role == "colorinterp":
            self._metadata.colours[band] = text.lower()[:_MAX_DESCRIPTION]
        else:
            target = self._metadata.scales if role == "scale" else self._metadata.offsets
            target[band] = _finite(role, text)


def _finite(role: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DamagedTiffError(f"A band's {role} in the GDAL metadata is not a number.")
    return number


def _parse(text: str, items: _Items) -> None:
    parser = expat.ParserCreate()
    parser.StartElementHandler = items.start
    parser.CharacterDataHandler = items.text
    parser.EndElementHandler = items.end
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise DamagedTiffError("The GDAL metadata (TIFF tag 42112) is not well-formed XML.") from error


def _refuse_doctype(*_declaration: object) -> None:
    raise DamagedTiffError(
        "The GDAL metadata (TIFF tag 42112) declares a document type. "
        "Write the file without it (gdal_translate -nomd)."
    )
