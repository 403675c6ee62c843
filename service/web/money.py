"""Money as JSON: a decimal string in major units and a currency, never a float."""

from pydantic import BaseModel, ConfigDict, Field

from service.money import Money


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

    amount: str = Field(
        pattern=r"^\d{1,15}(\.\d{1,3})?$", description="Amount in major units.", examples=["500.00"]
    )
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="Currency code (ISO 4217).", examples=["USD"])

    def money(self) -> Money:
        """Return the amount in minor units; InvalidInputError beyond the currency's decimals."""
        return Money.parse(self.amount, self.currency)
