"""Values in requests that are read strictly: a sentence refuses what pydantic would silently convert.

Pydantic reads the number 1764288000 and the text "1764288000" as a day, `true` as 1, and 1 as `true`.
"""

import re
from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
"""Control characters, other ends of lines, and marks that turn the reading direction."""
UNSEEN = r"\u00ad\u200b-\u200f\u2060\ufeff"
"""Characters without a width: two texts that differ only in them look alike."""
LINE_PATTERN = rf"^(?!\s)[^{UNPRINTABLE}{UNSEEN}]*[^\s{UNPRINTABLE}{UNSEEN}]$"
_UNPRINTABLE = re.compile(f"[{UNPRINTABLE}]")
_UNSEEN = re.compile(f"[{UNSEEN}]")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


def invalid(code: str, sentence: str) -> PydanticCustomError:
    """Return the error with which a validator refuses a value; `sentence` is shown as it is."""
    return PydanticCustomError(code, "{sentence}", {"sentence": sentence})


def refuse_unprintable(text: str) -> str:
    """Return a text; refuse line breaks, control characters and marks that turn the reading direction."""
    if found := _UNPRINTABLE.search(text):
        raise invalid(
            "text-invalid",
            f"This text has the character {_code(found[0])}. Write it in one line, without control codes.",
        )
    return text


def read_line(text: str) -> str:
    """Return a text in one line; refuse what makes it look like another text."""
    refuse_unprintable(text)
    if found := _UNSEEN.search(text):
        raise invalid(
            "text-invalid", f"This text has the character {_code(found[0])}, which nobody sees. Remove it."
        )
    if not text.strip():
        raise invalid("text-invalid", "This text is blank. Write something, or leave it out.")
    if text != text.strip():
        raise invalid("text-invalid", "This text begins or ends with a blank. Remove it.")
    return text


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"


def read_day(value: object) -> object:
    """Return a day of the calendar; refuse numbers, times and days that do not exist."""
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    if isinstance(value, str) and _DAY.fullmatch(value.strip()):
        try:
            return date.fromisoformat(value.strip())
        except ValueError as error:
            raise invalid("day-invalid", f"{value.strip()} is not a day of the calendar.") from error
    raise invalid("day-invalid", 'A day is a text like "2026-11-28" (year-month-day), without a time.')


def read_amount(value: object) -> object:
    """Return the text of an amount, without a sign; how many decimals are right depends on the currency."""
    if value is None or (isinstance(value, str) and _AMOUNT.fullmatch(value)):
        return value
    raise invalid(
        "amount-invalid",
        'An amount is a text like "12.50": at most 15 digits, a point and decimals, without sign or spaces.',
    )


def read_yes_or_no(value: object) -> object:
    """Return a truth value or its text in any case; refuse numbers and other words, such as "yes"."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower()
    raise invalid("yes-or-no-invalid", "This is either true or false.")


def read_decimal(value: object) -> object:
    """Return a number or its text in ASCII characters; refuse truth values."""
    if isinstance(value, bool) or (isinstance(value, str) and not value.isascii()):
        raise invalid("number-invalid", 'This is a number, such as "0.5".')
    return value


def read_whole_number(value: object) -> object:
    """Return an integer or its text; refuse truth values and floating-point numbers."""
    if isinstance(value, bool | float):
        raise invalid("integer-invalid", "This is a whole number, such as 12.")
    return value


SearchText = Annotated[str, AfterValidator(refuse_unprintable)]
"""A text that chooses stored ones, which may be older than the rules of Line."""
Line = Annotated[str, AfterValidator(read_line), Field(json_schema_extra={"pattern": LINE_PATTERN})]
"""A text in one line that looks as it is."""
Note = Annotated[Line, Field(min_length=1, max_length=500)]
"""A reason in one line."""
Day = Annotated[date, BeforeValidator(read_day)]
"""A day, written YYYY-MM-DD."""
AmountText = Annotated[
    str,
    BeforeValidator(read_amount),
    Field(json_schema_extra={"pattern": r"^[0-9]{1,15}(\.[0-9]{1,9})?$"}),
]
"""An amount of money in major units, zero or more."""
WholeNumber = Annotated[int, BeforeValidator(read_whole_number)]
"""An integer; neither `true` nor 12.0. Queries and CSV files send it as text."""
PlainNumber = Annotated[float, BeforeValidator(read_decimal)]
"""A number; not `true`. Queries send it as text."""
YesOrNo = Annotated[bool, BeforeValidator(read_yes_or_no)]
"""A truth value; not 1, 0, yes or no. Queries and CSV files send it as text."""
