"""Money: integer minor units of an ISO 4217 currency inside, decimal strings outside."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from service.errors import InvalidInputError

# ISO 4217 currencies whose minor unit is not one hundredth (amendment 176).
_EXPONENTS = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0,
    "RWF": 0, "UGX": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}  # fmt: skip


LARGEST = Decimal(10) ** 15
"""The limit of an amount in major units; sums of such amounts fit the ledger's 64-bit minor units."""


def exponent(currency: str) -> int:
    """Return the number of decimal places of the currency's minor unit (USD 2, JPY 0, KWD 3)."""
    return _EXPONENTS.get(currency, 2)


def minor_per_major(currency: str) -> int:
    """Return how many minor units make one major unit (USD 100, JPY 1, KWD 1000)."""
    return int(10 ** exponent(currency))


def to_minor(amount: Decimal, currency: str) -> int:
    """Round an amount in major units to integer minor units, halves up."""
    return int(amount.scaleb(exponent(currency)).quantize(Decimal(1), rounding=ROUND_HALF_UP))


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

        Raises InvalidInputError for text that is not a number and for more decimals than the currency has.
        """
        try:
            major = Decimal(amount)
        except ArithmeticError as error:
            raise InvalidInputError(f"{amount!r} is not an amount of money.", amount=amount) from error
        places = exponent(currency)
        if not major.is_finite() or abs(major) >= LARGEST:
            raise InvalidInputError(f"{amount!r} is not an amount of money.", amount=amount)
        if major != round(major, places):
            raise InvalidInputError(
                f"{amount!r} has more decimals than {currency} allows ({places}).", amount=amount
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
    def amount(self) -> str:
        """The amount in major units with exactly the currency's decimals, such as "12.50"."""
        places = exponent(self.currency)
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
