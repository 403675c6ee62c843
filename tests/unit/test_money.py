"""Money: exact in, exact out."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidInputError
from service.money import Money, to_minor

CURRENCIES = st.sampled_from(["USD", "JPY", "KWD", "CLF"])  # two, none, three and four decimals


@given(minor=st.integers(1 - 10**15, 10**15 - 1), currency=CURRENCIES)
def test_reads_back_what_it_wrote(minor: int, currency: str) -> None:
    money = Money(minor, currency)

    assert Money.parse(money.amount, currency) == money


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1250, "USD", "12.50 USD"),
        (5, "USD", "0.05 USD"),
        (-5, "USD", "-0.05 USD"),
        (1250, "JPY", "1250 JPY"),  # the yen has no minor unit
        (1250, "KWD", "1.250 KWD"),  # the dinar has thousandths
        (1250, "UYI", "1250 UYI"),
        (1250, "CLF", "0.1250 CLF"),
    ],
)
def test_writes_exactly_the_decimals_of_the_currency(minor: int, currency: str, text: str) -> None:
    assert str(Money(minor, currency)) == text


@pytest.mark.parametrize(
    "amount",
    [
        "", "ten", "NaN", "Infinity", "-Infinity", "sNaN", "1e400", "12.505", "9" * 40, "\u0661\u0662.50",
        "1_000", " 12", "1e2", "12.", ".5",
    ],
)  # fmt: skip
def test_refuses_what_is_not_an_amount(amount: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Money.parse(amount, "USD")

    assert caught.value.extra == {"amount": amount}


@pytest.mark.parametrize(
    ("amount", "currency", "sentence"),
    [
        ("10.5", "UYI", "UYI has none"),
        ("10.12345", "CLF", "CLF has at most 4"),
        ("100000000000000", "CLF", "below 100,000,000,000,000"),
    ],
)
def test_refuses_an_amount_that_its_currency_cannot_hold(amount: str, currency: str, sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        Money.parse(amount, currency)


@given(amount=st.decimals(-(10**9), 10**9, places=6), currency=CURRENCIES)
def test_rounds_to_the_nearest_minor_unit(amount: Decimal, currency: str) -> None:
    minor = to_minor(amount, currency)

    assert abs(Decimal(Money(minor, currency).amount) - amount) <= Decimal(Money(1, currency).amount) / 2


def test_rounds_halves_away_from_zero() -> None:
    halves = ["0.005", "0.015", "0.025", "-0.005"]

    assert [to_minor(Decimal(half), "USD") for half in halves] == [1, 2, 3, -1]


def test_money_adds_subtracts_and_negates() -> None:
    a, b = Money(1250, "USD"), Money(50, "USD")

    assert (a + b, a - b, -a) == (Money(1300, "USD"), Money(1200, "USD"), Money(-1250, "USD"))


def test_money_compares_by_amount() -> None:
    small, large = Money(5, "USD"), Money(7, "USD")

    assert small < large and large > small and small <= small and large >= large  # noqa: PT018
    assert max(small, large) == large
    assert not Money(0, "USD") and small  # noqa: PT018


@pytest.mark.parametrize(
    "combine",
    [
        lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a < b, lambda a, b: a <= b, lambda a, b: a > b,
        lambda a, b: a >= b,
    ],
)  # fmt: skip
def test_money_refuses_to_mix_currencies(combine: Callable[[Money, Money], object]) -> None:
    with pytest.raises(ValueError, match=r"12\.50 USD and 1250 JPY are in different currencies"):
        combine(Money(1250, "USD"), Money(1250, "JPY"))


def test_money_of_two_currencies_is_not_equal() -> None:
    assert Money(5, "USD") != Money(5, "EUR")
