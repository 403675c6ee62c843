"""Media types of answers: 406 when a client accepts none that an operation offers."""

import re
from typing import Any

from fastapi import Request

from service.errors import LoupeError

JSON = "application/json"
_RANGE = re.compile(r"\s*([\w!#$&^.+-]+|\*)/([\w!#$&^.+-]+|\*)\s*")
_REFUSED = re.compile(r"\s*q\s*=\s*0(\.0{0,3})?\s*")


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
    accept = request.headers.get("accept")
    if accept is None or not request.url.path.startswith("/v1/"):
        return
    offered = offered_types(request.scope["route"].responses)
    if not accepts(accept, offered):
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


def accepts(accept: str, offered: list[str]) -> bool:
    """Return whether a header Accept allows one of the types; a header that cannot be read allows any.

    A client of JSON accepts every `+json`, and the other way round.
    """
    readable = False
    for part in accept.split(","):
        kind, *parameters = part.split(";")
        found = _RANGE.fullmatch(kind)
        readable = readable or found is not None
        if found is None or any(map(_REFUSED.fullmatch, parameters)):
            continue
        if any(_matches(found[1].lower(), found[2].lower(), one) for one in offered):
            return True
    return not readable


def _matches(kind: str, subtype: str, offered: str) -> bool:
    own_kind, own_subtype = offered.split("/")
    alike = subtype in {"*", own_subtype} or (_is_json(subtype) and _is_json(own_subtype))
    return kind in {"*", own_kind} and alike


def _is_json(subtype: str) -> bool:
    return subtype == "json" or subtype.endswith("+json")
