"""Values in requests that are read strictly: a sentence refuses what pydantic would silently convert.

Pydantic reads the number 1764288000 and the text "1764288000" as a day, `true` as 1, and 1 as `true`.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field
from pydantic_core import PydanticCustomError

UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
"""Control characters, other ends of lines, and marks that turn the reading direction."""
UNSEEN = r"\u00ad\u200b-\u200f\u2060\ufeff"
"""Characters without a width: two texts that differ only in them look alike."""
LINE_PATTERN = rf"^(?!\s)[^{UNPRINTABLE}{UNSEEN}]*[^\s{UNPRINTABLE}{UNSEEN}]$"
SHA256_PATTERN = "^[0-9a-f]{64}$"
_UNPRINTABLE = re.compile(f"[{UNPRINTABLE}]")
_UNSEEN = re.compile(f"[{UNSEEN}]")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_EXACT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,300}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,300}(\.[0-9]{0,300})?([eE][+-]?[0-9]{1,3})?")
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


def as_line(text: str) -> str:
    """Return a text that nobody checked, such as a file's name, as one line that looks as it is."""
    return _UNSEEN.sub("\ufffd", _UNPRINTABLE.sub("\ufffd", text))


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


def read_moment(value: object) -> object:
    """Return a point in time with its offset from UTC; refuse numbers, days and local times."""
    if value is None or isinstance(value, datetime):
        return value
    if isinstance(value, str) and _MOMENT.fullmatch(value.strip()):
        try:
            return datetime.fromisoformat(value.strip()).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise invalid("moment-invalid", f"{value.strip()} is not a point in time.") from error
    raise invalid(
        "moment-invalid",
        'A point in time is a text like "2026-11-28T12:00:00Z", with Z or an offset from UTC.',
    )


def read_amount(value: object) -> object:
    """Return the text of an amount, without a sign; how many decimals are right depends on the currency."""
    if value is None or (isinstance(value, str) and _AMOUNT.fullmatch(value)):
        return value
    raise invalid(
        "amount-invalid",
        'An amount is a text like "12.50": at most 15 digits, a point and decimals, '
        "without sign, commas or spaces.",
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
        raise invalid("number-invalid", 'Give a number, such as "0.5".')
    return value


def read_exact(value: object) -> object:
    """Return a number, or its text without an exponent; refuse truth values."""
    if isinstance(value, bool) or (isinstance(value, str) and _EXACT.fullmatch(value) is None):
        raise invalid(
            "number-invalid",
            'Give a number, such as "0.5": digits, a point and decimals, without sign, commas or spaces.',
        )
    return value


def read_whole_number(value: object) -> object:
    """Return an integer or its text, and 12 for 12.0 as in JSON Schema; refuse truth values and fractions."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool | float):
        raise invalid("integer-invalid", "Give a whole number, such as 12.")
    return value


def refusing_text(meaning: str) -> Callable[[object], object]:
    """Return a reader for a value of a JSON body, which refuses a text and says what is meant instead."""

    def read(value: object) -> object:
        if isinstance(value, str):
            raise invalid("text-invalid", f"This is {meaning}. JSON writes it without quotation marks.")
        return value

    return read


def number_of(text: object) -> object:
    """Return the number that a text of a query or a CSV file writes; another value as it is."""
    if not isinstance(text, str) or _NUMBER.fullmatch(text.strip()) is None:
        return text
    return int(text) if _INTEGER.fullmatch(text.strip()) else float(text)


def read_sha256(value: str) -> str:
    """Return a SHA-256 in hex; refuse any other text."""
    if re.fullmatch(SHA256_PATTERN, value) is None:
        raise invalid("sha256-invalid", "Give a SHA-256: 64 hexadecimal digits in lower case.")
    return value


Sha256 = Annotated[str, AfterValidator(read_sha256), Field(json_schema_extra={"pattern": SHA256_PATTERN})]
"""A SHA-256 in hex."""
SearchText = Annotated[
    str, AfterValidator(refuse_unprintable), Field(json_schema_extra={"pattern": rf"^[^{UNPRINTABLE}]*$"})
]
"""A text that chooses stored ones, which may be older than the rules of Line."""
Line = Annotated[str, AfterValidator(read_line), Field(json_schema_extra={"pattern": LINE_PATTERN})]
"""A text in one line that looks as it is."""
Note = Annotated[Line, Field(min_length=1, max_length=500)]
"""A reason in one line."""
Day = Annotated[date, BeforeValidator(read_day)]
"""A day, written YYYY-MM-DD."""
Moment = Annotated[AwareDatetime, BeforeValidator(read_moment)]
"""A point in time with its offset from UTC."""
AmountText = Annotated[
    str,
    BeforeValidator(read_amount),
    Field(json_schema_extra={"pattern": r"^[0-9]{1,15}(\.[0-9]{1,9})?$"}),
]
"""An amount of money in major units, zero or more."""
WholeNumber = Annotated[int, BeforeValidator(read_whole_number)]
"""An integer; not `true`. JSON may write 12.0, and queries and CSV files send it as text."""
PlainNumber = Annotated[float, BeforeValidator(read_decimal)]
"""A number; not `true`. Queries send it as text."""
YesOrNo = Annotated[bool, BeforeValidator(read_yes_or_no)]
"""A truth value; not 1, 0, yes or no. Queries and CSV files send it as text."""
BodyWholeNumber = Annotated[WholeNumber, BeforeValidator(refusing_text("a whole number, such as 12"))]
"""An integer in a JSON body, where a text is no number."""
BodyNumber = Annotated[PlainNumber, BeforeValidator(refusing_text("a number, such as 0.5"))]
"""A number in a JSON body, where a text is none."""
BodyYesOrNo = Annotated[YesOrNo, BeforeValidator(refusing_text("either true or false"))]
"""A truth value in a JSON body, where a text is none."""
