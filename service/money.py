"""Money: integer minor units of an ISO 4217 currency inside, decimal strings outside."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from service.currencies import decimals_of
from service.errors import InvalidInputError

LARGEST = 10**15
"""The limit of an amount in major units."""
LARGEST_MINOR = 10**18
"""The limit of an amount in minor units; sums of such amounts fit the ledger's 64-bit columns."""
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")  # Decimal itself reads the digits of every script, and 1_000


def minor_per_major(currency: str) -> int:
    """Return how many minor units make one major unit (USD 100, JPY 1, CLF 10,000)."""
    return int(10 ** decimals_of(currency))


def to_minor(amount: Decimal, currency: str) -> int:
    """Round an amount in major units to integer minor units, halves up."""
    return int(amount.scaleb(decimals_of(currency)).quantize(Decimal(1), rounding=ROUND_HALF_UP))


@dataclass(frozen=True)
class Money:
    """`minor` integer minor units of `currency` (ISO 4217, three capitals).

    Amounts of one currency add, subtract and compare; ValueError for two currencies. An amount of zero
    is false.
    """

    minor: int
    currency: str

    @classmethod
    def parse(cls, amount: str, currency: str) -> "Money":
        """Read an amount such as "12.50".

        Raises InvalidInputError for text that is not a plain decimal number in ASCII digits, for amounts that
        are too large, and for more decimals than the currency has.
        """
        if not _DECIMAL.fullmatch(amount):
            raise _not_an_amount(amount)
        major = Decimal(amount)
        places = decimals_of(currency)
        limit = min(LARGEST, LARGEST_MINOR // 10**places)
        if abs(major) >= limit:
            sentence = f"{amount[:40]!r} is too large. An amount in {currency} is below {limit:,}."
            raise InvalidInputError(sentence, amount=amount)
        if major != round(major, places):
            allowed = f"at most {places}" if places else "none"
            raise InvalidInputError(
                f"{amount!r} has too many decimals: {currency} has {allowed}. Round the amount.",
                amount=amount,
            )
        return cls(to_minor(major, currency), currency)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same_currency(other).minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same_currency(other).minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same_currency(other).minor

    def __le__(self, other: "Money") -> bool:
        return self.minor <= self._same_currency(other).minor

    def __gt__(self, other: "Money") -> bool:
        return self.minor > self._same_currency(other).minor

    def __ge__(self, other: "Money") -> bool:
        return self.minor >= self._same_currency(other).minor

    @property
    def nothing(self) -> "Money":
        """Zero of the same currency."""
        return Money(0, self.currency)

    def part(self, share: Fraction) -> "Money":
        """Return a share of the amount, 0 to 1, rounded down to a minor unit."""
        return Money(self.minor * share.numerator // share.denominator, self.currency)

    @property
    def amount(self) -> str:
        """The amount in major units with exactly the currency's decimals, such as "12.50"."""
        places = decimals_of(self.currency)
        return f"{Decimal(self.minor).scaleb(-places):.{places}f}"

    @property
    def major(self) -> float:
        """The amount in major units, for scores and plots; sums of money need `minor`."""
        return self.minor / minor_per_major(self.currency)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def _same_currency(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError(f"{self} and {other} are in different currencies; money is never converted")
        return other


def _not_an_amount(amount: str) -> InvalidInputError:
    sentence = f'{amount[:40]!r} is not an amount of money. Write it like "12.50".'
    return InvalidInputError(sentence, amount=amount)
