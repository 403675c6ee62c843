"""Errors and warnings in the words of the commands. Their own sentences name addresses of the API."""

import re
from collections.abc import Mapping
from typing import Any

from service.terminal.phrases import CODES, PHRASES
from service.web.rewording import reworded

OF_THE_API = re.compile(
    r"/v1/|Idempotency-Key|Authorization:|Content-Type|\b(?:GET|POST|PUT|PATCH|DELETE) /"
    r"|\b(?:accept|allow)_[a-z]+\b|\b[a-z]+_[a-z_]+=|\bquery parameter\b"
)
"""Words of which no command speaks."""
_OF_REQUEST = re.compile(r"^The request ")


def plainly(text: str) -> str:
    """Return a text in the words of the commands; a sentence that only the API can follow is left out.

    A text that has no other sentence stays.
    """
    return reworded(text, PHRASES, OF_THE_API)


def in_words(problem: Mapping[str, Any]) -> tuple[str, str]:
    """Return the title and the sentence of a problem document in the words of the commands."""
    code = str(problem.get("type", "")).rpartition("/")[2]
    if code in CODES:
        return CODES[code]
    title = _OF_REQUEST.sub("This ", str(problem.get("title", "")))
    return title, plainly(str(problem.get("detail", "")))
