"""The meaning of a band's description: a colour, another band, a number, or nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_COLOURS = {
    "red": frozenset({"red", "r", "rouge", "rot", "rojo", "rosso", "vermelho"}),
    "green": frozenset({"green", "g", "vert", "grün", "gruen", "verde"}),
    "blue": frozenset({"blue", "b", "bleu", "blau", "azul", "blu"}),
}
# Words beside a colour that make it another band: red edge, coastal blue, green I (531 nm, Planet).
_QUALIFIERS = re.compile(
    r"edge|cir|rededge\d*|redege\d*|nir\d*|near|infra\w*|ir|swir\d*|mwir|lwir|tir\w*|thermal|coastal\w*|aerosol\w*|"
    r"deep|ultra|yellow|pan|panchromatic|cirrus|mask|alpha|i|vre\d*|uv|violet|index|minus|ratio|std\w*|var\w*"
)
_OTHERS = re.compile(
    r"n|re\d*|v[vh]|h[hv]|(nd|e|sa|msa|g|nb|ar)vi\d*|nd[a-z]{1,2}i|nbr\d*|bsi|lai|fapar|dem|dsm|dtm|elevation|"
    r"height|slope|aspect|hillshade|coherence|probability|class\w*|scl|qa\w*|cloud\w*|udm\d*"
)
_SAYS_NOTHING = frozenset({"gray", "grey", "undefined", "palette", "unnamed", "none", "color", "colour"})
_CODE = re.compile(r"(?:sr|srb|toa|toar|boa|refl|rho)?_?(b|band)(\d{1,2})(a?)")
_LANDSAT_SR = re.compile(r"(?<![a-z\d])sr_?(?:b|band_?)\d")
_THEMATIC_MAPPER = re.compile(r"(?<![a-z\d])(?:l(?:t0?[45]|e0?7)_|landsat[ _-]?[457](?!\d))")
_OLI = re.compile(r"(?<![a-z\d])(?:l[co]0?[89]_|landsat[ _-]?[89](?!\d))")
_WAVELENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(nm|nanomet\w+|um|µm|μm|micromet\w+|micron\w*)\b")
_BARE_WAVELENGTH = re.compile(
    r"(?:(?:rho[a-z]*|rrs|wl|lambda|reflectance)_?)?(\d{3,4}(?:\.\d+)?|[012]?\.\d+)"
)
_OLCI = re.compile(r"oa(\d{2})(?!\d)")  # Sentinel-3's bands; three of them are the centres of the colours
_OLCI_NM = {4: 490.0, 6: 560.0, 8: 665.0}
_OLCI_OTHER_NM = 900.0
_SPECTRUM_NM = (350.0, 2_600.0)
_RANGES_NM = {"red": (625.0, 690.0), "green": (525.0, 595.0), "blue": (445.0, 518.0)}


@dataclass(frozen=True, kw_only=True)
class BandName:
    """A description as it was understood."""

    text: str  # as written
    colour: str | None  # "red", "green" or "blue"
    plain: bool  # the colour is the only word
    other: bool  # a band that is none of the three colours
    number: int | None  # of "B4", "B04", "SR_B4" or "Band 4"
    written: str  # the letters before the number: "b" or "band"
    padded: bool  # the number is written with a leading 0
    suffix: str  # "a" in B8A
    surface: bool  # the name has the prefix SR of Landsat's Collection 2
    wavelength_nm: float | None

    @property
    def says_nothing(self) -> bool:
        """Whether the description leaves open which band it is."""
        return not (self.colour or self.other or self.number is not None or self.wavelength_nm)


def read_name(text: str) -> BandName:
    """Read one description."""
    lower = text.lower()
    length = _wavelength(lower)
    words = re.findall(r"[^\W_]+", _WAVELENGTH.sub(" ", lower))
    code = _code(words)
    named = [word for word in words if not word.isdecimal() and not _CODE.fullmatch(word)]
    colour = _colour(named)
    qualified = any(map(_QUALIFIERS.fullmatch, named))
    other = qualified or (colour is None and any(map(_OTHERS.fullmatch, named)) and len(named) <= 3)
    return BandName(
        text=text,
        colour=None if qualified else colour,
        plain=len(named) == 1,
        other=other,
        number=int(code[1]) if code else None,
        written=code[0] if code else "",
        padded=code is not None and code[1].startswith("0"),
        suffix=code[2] if code else "",
        surface=bool(_LANDSAT_SR.search(lower.replace("srb", "sr_b"))),
        wavelength_nm=length,
    )


def landsat_sensor(texts: Sequence[str]) -> str | None:
    """Return "tm" or "oli" when product names or descriptions state the Landsat satellite, else None."""
    joined = " ".join(texts).lower()
    if _THEMATIC_MAPPER.search(joined):
        return "tm"
    return "oli" if _OLI.search(joined) else None


def colour_of_wavelength(nanometres: float) -> str | None:
    """Return the colour band in which a wavelength lies, or None."""
    for colour, (first, last) in _RANGES_NM.items():
        if first <= nanometres <= last:
            return colour
    return None


def skeleton(text: str) -> str:
    """Return a description without digits, so that "lyr.1" and "lyr.2" are alike."""
    return re.sub(r"[\W\d_]+", " ", text.lower()).strip()


def is_filler(text: str) -> bool:
    """Tell whether a description is a word that software writes for want of a name."""
    return skeleton(text) in _SAYS_NOTHING | {""} and _wavelength(text.lower()) is None


def _colour(words: list[str]) -> str | None:
    for colour, names in _COLOURS.items():
        for word in words:
            # A single letter in a sentence or a file name is no colour.
            if word in names and (len(word) > 1 or len(words) <= 3):
                return colour
    return None


def _code(words: list[str]) -> tuple[str, str, str] | None:
    """Return the letters, digits and suffix of a band number such as B8A or "band 4"."""
    for index, word in enumerate(words):
        if match := _CODE.fullmatch(word):
            return match[1], match[2], match[3]
        following = words[index + 1] if index + 1 < len(words) else ""
        if word in ("band", "b") and re.fullmatch(r"\d{1,2}a?", following):
            return word, following.rstrip("a"), "a" if following.endswith("a") else ""
    return None


def _wavelength(text: str) -> float | None:
    if match := _WAVELENGTH.search(text):
        return float(match[1]) * (1.0 if match[2].startswith("n") else 1000.0)
    if match := _OLCI.match(text):
        return _OLCI_NM.get(int(match[1]), _OLCI_OTHER_NM)
    if match := _BARE_WAVELENGTH.fullmatch(text.strip()):
        length = float(match[1]) * (1.0 if float(match[1]) >= 100 else 1000.0)
        return length if _SPECTRUM_NM[0] <= length <= _SPECTRUM_NM[1] else None
    return None
