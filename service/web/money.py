"""Money as JSON: a decimal string in major units and a currency, never a float."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from service.currencies import USABLE, CurrencyUnknownError, check_currency
from service.money import Money
from service.web.values import AmountText, invalid


def read_currency(code: str) -> str:
    """Return the code of a currency with a minor unit; refuse any other with a sentence."""
    try:
        return check_currency(code)
    except CurrencyUnknownError as error:
        raise invalid(error.code, error.detail) from error


CurrencyCode = Annotated[str, AfterValidator(read_currency), Field(json_schema_extra={"enum": [*USABLE]})]
"""A currency of ISO 4217 in which new amounts can be kept."""


class MoneyOut(BaseModel):
    """An amount in major units, with exactly the currency's decimals."""

    amount: str = Field(description="Amount in major units.", examples=["12.50"])
    currency: str = Field(description="Currency code (ISO 4217).", examples=["USD"])

    @classmethod
    def of(cls, money: Money) -> "MoneyOut":
        """Write `money` for JSON."""
        return cls(amount=money.amount, currency=money.currency)

    @classmethod
    def minor(cls, minor: int, currency: str) -> "MoneyOut":
        """Write an amount given in integer minor units."""
        return cls.of(Money(minor, currency))


class MoneyIn(BaseModel):
    """An amount of money to send: a decimal string, never a float."""

    model_config = ConfigDict(extra="forbid")

    amount: AmountText = Field(description="Amount in major units.", examples=["500.00"])
    currency: CurrencyCode = Field(description="Currency code (ISO 4217).", examples=["USD"])

    def money(self) -> Money:
        """Return the amount in minor units; InvalidInputError beyond the currency's decimals."""
        return Money.parse(self.amount, self.currency)
