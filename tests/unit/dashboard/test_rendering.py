"""Formats of the figures on the dashboard."""

from datetime import datetime, timedelta, timezone

import pytest

from service.dashboard.rendering import amount, count_of, iso, percent, share_of, when
from service.web.money import MoneyOut


def money(text: str, currency: str = "USD") -> MoneyOut:
    return MoneyOut(amount=text, currency=currency)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1234567.50", "1,234,567.50"),
        ("0.00", "0.00"),
        ("1500", "1,500"),  # a currency without minor units
        ("-12.30", "-12.30"),
    ],
)
def test_amount_keeps_every_decimal(text: str, written: str) -> None:
    assert amount(money(text)) == written


def test_share_of_names_the_whole() -> None:
    assert share_of(money("25.00"), money("1000.00")) == f"{percent(0.025)} of 1,000.00 USD"


def test_share_of_zero_has_no_percentage() -> None:
    assert share_of(money("0.00"), money("0.00")) == "of 0.00 USD"


@pytest.mark.parametrize(("number", "words"), [(0, "0 orders"), (1, "1 order"), (1200, "1,200 orders")])
def test_count_of_agrees_with_its_noun(number: int, words: str) -> None:
    assert count_of(number, "order") == words


def test_when_and_iso_convert_to_utc() -> None:
    moment = datetime(2026, 11, 2, 1, 30, tzinfo=timezone(timedelta(hours=2)))

    assert when(moment) == "1 Nov 2026, 23:30"
    assert iso(moment) == "2026-11-01T23:30:00Z"
