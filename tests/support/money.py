"""Amounts of money for tests."""

from service.money import Money


def cents(minor: int) -> Money:
    """Return an amount of US cents."""
    return Money(minor, "USD")
