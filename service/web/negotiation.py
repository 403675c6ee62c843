"""Media types of answers: the one that a client wants most, and 406 when it accepts none of those offered."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import Request

from service.errors import LoupeError

JSON, GEO_JSON = "application/json", "application/geo+json"
_RANGE = re.compile(r"\s*([\w!#$&^.+-]+|\*)/([\w!#$&^.+-]+|\*)\s*")
_QUALITY = re.compile(r"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)
EXACT, ALIKE, KIND, ANY = 3, 2, 1, 0
"""How closely a media range names a type: the type, another form of JSON, `text/*`, or `*/*`."""


class NotAcceptableError(LoupeError):
    """A request that accepts no media type which the operation can answer with."""

    status = 406
    code = "not-acceptable"
    title = "The answer has no such media type"

    def __init__(self, offered: list[str]) -> None:
        types = ", ".join(offered)
        super().__init__(
            f"This address answers with {types}. Name one of them in the header Accept, or leave it out.",
            offered=offered,
        )


async def check_accept(request: Request) -> None:
    """Refuse a request under `/v1` whose header Accept allows no answer; NotAcceptableError (406)."""
    accept = ",".join(request.headers.getlist("accept"))
    if not request.url.path.startswith("/v1/"):
        return
    offered = offered_types(request.scope["route"].responses)
    if preferred(accept, offered) is None:
        raise NotAcceptableError(offered)


def offered_types(responses: dict[int | str, dict[str, Any]]) -> list[str]:
    """Return the media types of the successful answers that a route declares; JSON if it names none."""
    declared = [
        kind
        for status, answer in responses.items()
        if str(status).startswith("2")
        for kind in answer.get("content", {})
    ]
    own_only = bool(declared) and all(kind.startswith("image/") for kind in declared)
    return list(dict.fromkeys(declared if own_only else [JSON, *declared]))


def preferred(accept: str, offered: Sequence[str]) -> str | None:
    """Return the offered media type that a header Accept wants most. None if it allows none.

    The closest range of a type gives its quality (RFC 9110, 12.5.1). Of types with the same quality, the one
    named most closely is chosen, then the one named first, then the one offered first. A client of JSON
    accepts every `+json`, and the other way round. A header that cannot be read allows any type.
    """
    ranges = [
        (found[1].lower(), found[2].lower(), quality)
        for text, quality in weighted(accept)
        if (found := _RANGE.fullmatch(text))
    ]
    if not ranges:
        return offered[0]
    ranked = {kind: _rank(kind, ranges) for kind in offered}
    best = max(offered, key=lambda kind: ranked[kind])
    return best if ranked[best][0] > 0 else None


def weighted(field: str) -> Iterator[tuple[str, float]]:
    """Yield the members of a header such as Accept or Accept-Encoding, each with its quality from 0 to 1."""
    for part in field.split(","):
        member, *parameters = part.split(";")
        stated = [found[1] for one in parameters if (found := _QUALITY.fullmatch(one))]
        if member.strip():
            yield member.strip(), float(stated[0]) if stated else 1.0


def _rank(offered: str, ranges: Sequence[tuple[str, str, float]]) -> tuple[float, int, int]:
    """Return the quality of a type, how closely it is named, and how early; zeros if no range names it."""
    closest, place = max(
        ((_closeness(kind, subtype, offered), -at) for at, (kind, subtype, _) in enumerate(ranges)),
    )
    return (ranges[-place][2], closest, place) if closest >= ANY else (0.0, ANY, 0)


def _closeness(kind: str, subtype: str, offered: str) -> int:
    """Return how closely a media range names a type; below `ANY` if it does not."""
    own_kind, own_subtype = offered.split("/")
    if (kind, subtype) == (own_kind, own_subtype):
        return EXACT
    if kind == own_kind and _is_json(subtype) and _is_json(own_subtype):
        return ALIKE
    if subtype != "*" or kind not in {"*", own_kind}:
        return ANY - 1
    return KIND if kind == own_kind else ANY


def _is_json(subtype: str) -> bool:
    return subtype == "json" or subtype.endswith("+json")
