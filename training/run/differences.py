"""The comparison of a measurement with the figures of a card."""

from collections.abc import Iterator
from typing import Any


def differences(card: Any, measured: Any, name: str = "") -> Iterator[str]:
    """Yield a sentence for each figure of two JSON documents that is not the same in both."""
    if isinstance(card, dict) and isinstance(measured, dict):
        for key in sorted(card.keys() | measured.keys()):
            place = f"{name}.{key}" if name else str(key)
            if key not in measured:
                yield f"{place} is on the card, but was not measured."
            elif key not in card:
                yield f"{place} was measured, but is not on the card."
            else:
                yield from differences(card[key], measured[key], place)
    elif isinstance(card, list) and isinstance(measured, list) and len(card) == len(measured):
        for number, (one, other) in enumerate(zip(card, measured, strict=True)):
            yield from differences(one, other, f"{name}[{number}]")
    elif card != measured:
        yield f"{name} is {card} on the card, and {measured} in the measurement."
