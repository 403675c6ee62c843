"""Values in requests: nothing is converted silently."""

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from service.web.money import CurrencyCode, MoneyIn
from service.web.values import (
    LINE_PATTERN,
    AmountText,
    BodyNumber,
    BodyWholeNumber,
    BodyYesOrNo,
    Day,
    Line,
    PlainNumber,
    SearchText,
    WholeNumber,
    YesOrNo,
    number_of,
)


def refusal(kind: Any, value: object) -> str:
    """Return the sentence with which a value is refused."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    return str(caught.value.errors()[0]["msg"])


def test_day_is_read_from_its_text() -> None:
    assert TypeAdapter(Day).validate_python("2026-11-28") == date(2026, 11, 28)
    assert TypeAdapter(Day | None).validate_python(None) is None


@pytest.mark.parametrize(
    "value",
    [
        1_764_288_000, 1_764_288_000.0, True, 0, "1764288000", "2026-11-28T00:00:00", "2026-11-28T00:00:00Z",
        "2026-11-28 00:00", "28.11.2026", "2026-1-2", "20261128", "2026-W48-6", "", [],
        datetime(2026, 11, 28, tzinfo=UTC), "\u0662\u0660\u0662\u0666-11-28",
    ],
)  # fmt: skip
def test_day_refuses_whatever_is_no_day(value: object) -> None:
    assert refusal(Day, value) == 'A day is a text like "2026-11-28" (year-month-day), without a time.'


@pytest.mark.parametrize("value", ["2026-02-30", "2026-13-01", "0000-01-01"])
def test_day_refuses_a_day_that_does_not_exist(value: str) -> None:
    assert refusal(Day, value) == f"{value} is not a day of the calendar."


@pytest.mark.parametrize("value", [True, False, 12.5, float("inf"), float("nan")])
def test_whole_number_refuses_truth_values_and_fractions(value: object) -> None:
    assert refusal(WholeNumber, value) == "Give a whole number, such as 12."


@pytest.mark.parametrize("value", [True, "\u0660.\u0665", "\uff11"])
def test_number_refuses_truth_values_and_digits_of_other_scripts(value: object) -> None:
    assert refusal(PlainNumber, value) == 'Give a number, such as "0.5".'


@pytest.mark.parametrize("value", [1, 0, 1.0, "1", "0", "yes", "no", "on", "t", "y", "maybe", ""])
def test_yes_or_no_refuses_numbers_and_other_words(value: object) -> None:
    assert refusal(YesOrNo, value) == "This is either true or false."


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [(WholeNumber, "12", 12), (PlainNumber, "0.5", 0.5), (YesOrNo, "true", True), (YesOrNo, "FALSE", False)],
)
def test_numbers_and_truth_values_are_read_from_the_text_of_a_query(
    kind: Any, text: str, value: object
) -> None:
    assert TypeAdapter(kind).validate_python(text) == value


@pytest.mark.parametrize("value", [12.5, 12, True, "-1", "+1", "1e3", " 1", "1,5", "abc", "", "9" * 16, "1."])
def test_amount_refuses_whatever_is_no_amount_with_a_sentence(value: object) -> None:
    assert refusal(AmountText, value).startswith('An amount is a text like "12.50"')


@pytest.mark.parametrize("code", ["USDX", "ABC", "XAU", "usd", "HRK"])
def test_currency_refuses_a_code_with_a_sentence(code: str) -> None:
    assert refusal(CurrencyCode, code).endswith(".")


def test_money_keeps_the_decimals_of_its_currency() -> None:
    assert str(MoneyIn(amount="10.1234", currency="CLF").money()) == "10.1234 CLF"
    assert str(MoneyIn(amount="10", currency="UYI").money()) == "10 UYI"


UNSEEN = ["\u00ad", "\u200b", "\u200d", "\u200f", "\u2060", "\ufeff"]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        *(
            (f"nor{one}th", "This text has the character U+")
            for one in [*UNSEEN, "\n", "\0", "\x7f", "\u202e"]
        ),
        *((blank, "This text is blank.") for blank in (" ", "\u00a0", "\u3000 ")),
        *((text, "This text begins or ends with a blank.") for text in (" north", "north ", "\u00a0north")),
    ],
)
def test_line_refuses_what_looks_like_another_text(value: str, sentence: str) -> None:
    assert refusal(Line, value).startswith(sentence)
    assert not re.search(LINE_PATTERN, value)


@pytest.mark.parametrize("value", ["n", "north", "north east", "Kostenstelle 4711/ä", "北"])
def test_line_is_read_as_it_is(value: str) -> None:
    assert TypeAdapter(Line).validate_python(value) == value
    assert re.search(LINE_PATTERN, value)


def test_text_that_chooses_may_be_one_that_is_no_longer_taken() -> None:
    assert TypeAdapter(SearchText).validate_python(" nor\u200bth ") == " nor\u200bth "
    assert refusal(SearchText, "\0").startswith("This text has the character U+0000.")


@pytest.mark.parametrize(
    ("kind", "text", "meaning"),
    [
        (BodyWholeNumber, "12", "a whole number, such as 12"),
        (BodyNumber, "0.5", "a number, such as 0.5"),
        (BodyYesOrNo, "true", "either true or false"),
    ],
)
def test_json_body_writes_numbers_and_truth_values_without_quotation_marks(
    kind: Any, text: str, meaning: str
) -> None:
    assert refusal(kind, text) == f"This is {meaning}. JSON writes it without quotation marks."


@pytest.mark.parametrize("number", [12.0, 12, 0.0, 1e3])
def test_whole_number_may_be_written_with_a_point(number: float) -> None:
    assert repr(TypeAdapter(WholeNumber).validate_python(number)) == str(round(number))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        (" 12 ", 12),
        ("-1", -1),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("3.0", 3.0),
        ("12a", "12a"),
        ("", ""),
    ],
)
def test_number_of_reads_the_text_of_a_number(text: str, number: object) -> None:
    assert repr(number_of(text)) == repr(number)
