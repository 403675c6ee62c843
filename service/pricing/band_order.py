"""The bands of a provider's files, written as three numbers."""

from typing import Annotated

from pydantic import BeforeValidator

from service.web.values import invalid

MOST_BANDS = 32
"""Bands that a delivered file may have."""


def _band_order(text: object) -> object:
    """Return "3, 2, 1" as "3,2,1"; three different numbers of 1 to 32."""
    if not isinstance(text, str):
        return text
    parts = [part.strip() for part in text.split(",")]
    numbers = [int(part) for part in parts if part.isascii() and part.isdecimal() and len(part) <= 2]
    if len(parts) != 3 or len(set(numbers)) != 3 or not all(1 <= one <= MOST_BANDS for one in numbers):
        raise invalid(
            "band-order-invalid",
            f"Write the numbers of the red, green and blue bands, 1 to {MOST_BANDS}, such as 3,2,1.",
        )
    return ",".join(map(str, numbers))


BandOrder = Annotated[str, BeforeValidator(_band_order)]
"""Three band numbers: red, green, blue."""
