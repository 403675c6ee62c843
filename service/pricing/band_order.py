"""The bands of a provider's files, written as three numbers."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from service.web.values import invalid

MOST_BANDS = 32
"""Bands that a delivered file may have."""
_BAND = "(?:[1-9]|[12][0-9]|3[0-2])"
BAND_ORDER_PATTERN = (
    r"^(?! *(\d+) *,(?: *\d+ *,)? *\1 *(?:,|$))(?! *\d+ *, *(\d+) *, *\2 *$)"
    rf" *{_BAND} *, *{_BAND} *, *{_BAND} *$"
)
"""Three numbers of bands, the first differing from the others, and the second from the third."""


def _band_order(text: object) -> object:
    """Return "3, 2, 1" as "3,2,1"; three different numbers of 1 to 32."""
    if not isinstance(text, str):
        return text
    if re.match(BAND_ORDER_PATTERN, text) is None or text.endswith("\n"):
        raise invalid(
            "band-order-invalid",
            f"Write the numbers of the red, green and blue bands, 1 to {MOST_BANDS}, such as 3,2,1.",
        )
    return text.replace(" ", "")


BandOrder = Annotated[
    str, BeforeValidator(_band_order), Field(json_schema_extra={"pattern": BAND_ORDER_PATTERN})
]
"""Three band numbers: red, green, blue."""
