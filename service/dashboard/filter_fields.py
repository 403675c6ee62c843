"""Fields of the forms of filters, which send also what nobody filled in."""

import re

from pydantic import BeforeValidator

from service.errors import InvalidInputError

ANY = BeforeValidator(lambda given: given or None)
"""An empty field of a form of filters sets no filter."""
_CURRENCY = re.compile(r"[A-Z]{3}")


def read_currency(text: str) -> str:
    """Return a currency that a form sent; InvalidInputError for another text."""
    if not _CURRENCY.fullmatch(text):
        raise InvalidInputError(f"{text!r} is no currency. Write its three capital letters, such as USD.")
    return text
