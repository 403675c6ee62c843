"""Currencies: the decimals of ISO 4217, and sentences for codes that cannot be used."""

from itertools import product
from string import ascii_uppercase

import pytest

from service.currencies import CurrencyUnknownError, check_currency, decimals_of


@pytest.mark.parametrize(
    ("code", "decimals"),
    [("UYI", 0), ("JPY", 0), ("USD", 2), ("MRU", 2), ("KWD", 3), ("CLF", 4), ("UYW", 4), ("XCG", 2)],
)
def test_currency_has_the_decimals_of_iso_4217(code: str, decimals: int) -> None:
    assert decimals_of(check_currency(code)) == decimals


@pytest.mark.parametrize("code", ["BGN", "HRK", "BYR", "ABC"])
def test_currency_that_is_stored_but_not_listed_stays_readable(code: str) -> None:
    assert decimals_of(code) == 2


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("ABC", "'ABC' is not a currency"),
        ("USDX", "'USDX' is not a currency"),
        ("", "'' is not a currency"),
        ("usd", "Use USD."),
        ("XAU", "has no minor unit"),
        ("XXX", "has no minor unit"),
        ("HRK", "Use EUR."),
        ("BGN", "Use EUR."),
    ],
)
def test_currency_that_cannot_be_used_is_refused_with_a_sentence(code: str, sentence: str) -> None:
    with pytest.raises(CurrencyUnknownError) as caught:
        check_currency(code)

    assert sentence in caught.value.detail


def test_currencies_are_those_of_the_maintained_list() -> None:
    """Compare with the list that the package iso4217 takes from the maintenance agency."""
    listed = pytest.importorskip("iso4217").Currency
    for currency in listed:
        code = currency.code.upper()
        if currency.exponent is None:
            with pytest.raises(CurrencyUnknownError, match="has no minor unit"):
                check_currency(code)
        else:
            assert decimals_of(check_currency(code)) == currency.exponent, code
    unlisted = {"".join(letters) for letters in product(ascii_uppercase, repeat=3)} - {
        currency.code.upper() for currency in listed
    }
    for code in unlisted:
        with pytest.raises(CurrencyUnknownError):
            check_currency(code)
