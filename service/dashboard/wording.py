"""Errors and warnings in the words of the pages. Their own sentences name addresses of the API."""

import re
from collections.abc import Mapping
from typing import Any

from service.dashboard.phrases import CODES, LABELS, PHRASES
from service.dashboard.sizes import bytes_of
from service.web.rewording import reworded

_OF_THE_API = re.compile(
    r"/v1/|Idempotency-Key|Authorization:|\b(?:GET|POST|PUT|PATCH|DELETE) /|\b(?:accept|allow)_[a-z]+\b"
)
_OF_REQUEST = re.compile(r"^The request ")
_BYTES = re.compile(r"\b(\d+) bytes\b")


def plainly(text: str) -> str:
    """Return a text in the words of the pages; a sentence that only the API can follow is left out.

    A text that has no other sentence stays.
    """
    text = _BYTES.sub(lambda found: bytes_of(int(found[1])), text)
    return reworded(text, PHRASES, _OF_THE_API)


def in_words(problem: Mapping[str, Any]) -> dict[str, Any]:
    """Return a problem document whose title and sentence are in the words of the pages."""
    code = str(problem["type"]).rpartition("/")[2]
    if code in CODES:
        title, detail = CODES[code]
    elif problem.get("errors"):
        title, detail = _title(problem["errors"][0]), " ".join(map(_fault, problem["errors"][:3]))
    else:
        title, detail = _OF_REQUEST.sub("This ", str(problem["title"])), plainly(str(problem["detail"]))
    return {**problem, "title": title, "detail": detail}


def _title(fault: Mapping[str, Any]) -> str:
    match _place(fault):
        case "path", _:
            return "The address is incomplete"
        case "query", _:
            return "The address of the page cannot be read"
        case _:
            return "A field of the form cannot be read"


def _fault(fault: Mapping[str, Any]) -> str:
    """Write an entry of `errors` as a sentence."""
    place, name = _place(fault)
    label = LABELS.get(name, name.replace("_", " ").capitalize())
    said = (
        str(fault["detail"])
        .rstrip(".")
        .replace("Input should", "It should")
        .replace("String should", "It should")
    )
    said = "It is missing" if said == "Field required" else said
    if place == "path":
        return "It names no record of this workspace. Open the record from its list."
    if fault["code"] == "parameter-unknown":
        return f"This page has no filter {name}. Remove it from the address, or choose a filter on the page."
    kind = "filter" if place == "query" else "field"
    return f"The {kind} {label}: {said[0].lower()}{said[1:]}."


def _place(fault: Mapping[str, Any]) -> tuple[str, str]:
    """Return where a value stands (path, query, body or header), and its name."""
    _, place, *rest = [*str(fault["pointer"]).split("/"), ""]
    return place, next((one for one in reversed(rest) if one), place)
