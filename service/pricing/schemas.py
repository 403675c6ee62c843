"""Price lists as JSON. Decimals travel as strings, so that no float rounds a price."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, field_validator
from pydantic.config import JsonDict

from service.pricing.billing import Scope
from service.pricing.examples import NOTICE, RESERVED
from service.pricing.tables import PriceList
from service.schemas import Link

Exact = Annotated[
    Decimal, PlainSerializer(lambda value: f"{value.normalize():f}", return_type=str, when_used="json")
]
"""A decimal written without exponent or trailing zeros."""

EXAMPLE: JsonDict = {
    "name": "acme-30cm",
    "provider": "Acme Imagery",
    "product": "30 cm archive",
    "gsd_m": "0.3",
    "currency": "EUR",
    "price_per_km2": "19.50",
    "minimum_km2": "2",
    "minimum_applies_to": "order",
    "source": "contract 2026-117",
    "captured_at": "2026-11-02",
}


def today() -> date:
    """Return the date in UTC."""
    return datetime.now(UTC).date()


class PriceListIn(BaseModel):
    """A provider's terms as published by the workspace."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [EXAMPLE]}, str_strip_whitespace=True
    )

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$",
        description="what a plan calls it; the same name again is a new version",
    )
    provider: str = Field(min_length=1, max_length=200)
    product: str = Field(min_length=1, max_length=200)
    gsd_m: Exact = Field(gt=0, le=1000, decimal_places=3, description="ground sample distance, metres")
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217")
    price_per_km2: Exact = Field(gt=0, le=1_000_000, decimal_places=6, description="major units")
    minimum_km2: Exact = Field(Decimal(0), ge=0, le=1_000_000, decimal_places=6)
    minimum_applies_to: Scope = Field(
        "order", description="plans can be made with a minimum per order, or with none"
    )
    source: str = Field("entered by hand", min_length=1, max_length=500, description="where it was read")
    captured_at: date = Field(default_factory=today, description="when it was read")

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name.startswith(RESERVED):
            raise ValueError(f"names that begin with {RESERVED!r} belong to the shipped examples")
        try:
            UUID(name)
        except ValueError:
            return name
        raise ValueError("a name that is a UUID could not be told from an id")


class PriceListOut(BaseModel):
    """One version of a price list; it never changes."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    version: int
    provider: str
    product: str
    gsd_m: Exact
    currency: str
    price_per_km2: Exact
    minimum_km2: Exact
    minimum_applies_to: Scope
    source: str
    captured_at: date
    example: bool
    notice: str | None = Field(None, description="said of examples: they are not offers")
    created_at: datetime
    links: list[Link] = []

    @classmethod
    def of(cls, row: PriceList) -> "PriceListOut":
        """Write a stored price list."""
        links = [
            Link(rel="self", href=f"/v1/price-lists/{row.id}"),
            Link(
                rel="plans", href=f"/v1/plans?price_list={row.id}", title="POST a scene here to plan with it"
            ),
        ]
        update = {"links": links, "notice": NOTICE if row.example else None}
        return cls.model_validate(row).model_copy(update=update)
