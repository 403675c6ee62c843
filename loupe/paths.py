"""Paths of the API, in which each id that a caller gives is one segment."""

import re

from loupe.problems import ClientError

_SEGMENT = re.compile(r"[A-Za-z0-9._:@-]+")
"""Characters of ids, of versions (`name@version`) and of names in the API; none of them divides a path."""


class UnusableIdError(ClientError):
    """A text that cannot be an id. Nothing was sent."""


def is_segment(text: str) -> bool:
    """Return whether a text can be one segment of a path; others, such as `../orders`, lead elsewhere."""
    return text not in (".", "..") and _SEGMENT.fullmatch(text) is not None


def path_to(*segments: str | int) -> str:
    """Return a path of the API: `path_to("plans", plan, "curve")` is that of the curve of a plan.

    UnusableIdError for an id that cannot be one segment.
    """
    names = [str(segment) for segment in segments]
    for name in names:
        if not is_segment(name):
            raise UnusableIdError(
                f'"{name}" is no id, and nothing was sent.\n'
                "Give an id as the server gives it, such as c0ba6f1b-db54-486d-85af-9dd9ab5836c0."
            )
    return "/".join(("/v1", *names))
