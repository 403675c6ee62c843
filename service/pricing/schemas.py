"""Price lists as JSON. Decimals travel as strings, so that no float rounds a price."""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, field_validator, model_validator
from pydantic.config import JsonDict

from service.pricing.billing import PriceTerms
from service.pricing.charge_rules import Scope, Tier
from service.pricing.shape_rules import ShapeRules
from service.pricing.tables import PriceList
from service.web.paging import Link

RESERVED = "example-"
"""Names that begin so belong to the shipped examples."""

NOTICE = "An example from public sources, not an offer. Enter your provider's terms before you decide by it."

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
    "tiers": [{"above_km2": "500", "price_per_km2": "17"}],
    "minimum_km2": "2",
    "minimum_applies_to": "order",
    "source": "contract 2026-117",
    "captured_at": "2026-11-02",
}


CSV_EXAMPLE = """name,provider,product,gsd_m,currency,price_per_km2,tiers,minimum_km2,source
acme-30cm,Acme Imagery,30 cm archive,0.3,EUR,19.50,500:17; 1000:15,2,contract 2026-117
"""


def today() -> date:
    """Return the date in UTC."""
    return datetime.now(UTC).date()


class TierOut(BaseModel):
    """What each square kilometre of an order beyond `above_km2` costs, in major units."""

    model_config = ConfigDict(extra="forbid")

    above_km2: Exact = Field(gt=0, le=1_000_000, decimal_places=6)
    price_per_km2: Exact = Field(gt=0, le=1_000_000, decimal_places=6)


class PriceListTerms(BaseModel):
    """What a provider sells, what it costs and how it may be ordered."""

    provider: str = Field(min_length=1, max_length=200)
    product: str = Field(min_length=1, max_length=200)
    mode: Literal["archive", "tasking"] = Field("archive", description="old imagery, or taken on demand")
    gsd_m: Exact = Field(gt=0, le=1000, decimal_places=3, description="ground sample distance, metres")
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217")
    price_per_km2: Exact | None = Field(
        None, gt=0, le=1_000_000, decimal_places=6, description="major units; this or price_per_scene"
    )
    price_per_scene: Exact | None = Field(
        None, gt=0, le=1_000_000, decimal_places=6, description="one price, whatever the area"
    )
    tiers: list[TierOut] = Field(
        [], max_length=20, description="what the area beyond a limit costs; the area before it stays as it is"
    )
    minimum_km2: Exact = Field(
        Decimal(0), ge=0, le=1_000_000, decimal_places=6, description="billed at least"
    )
    minimum_applies_to: Scope = Field("order", description="whether the minimum area is of each shape")
    minimum_charge: Exact = Field(
        Decimal(0),
        ge=0,
        le=1_000_000,
        decimal_places=6,
        description="an invoice is at least this; major units",
    )
    areas_summed: bool = Field(
        True, description="whether the shapes of an order are one invoice, or each is an order of its own"
    )
    minimum_width_m: Exact = Field(
        Decimal(0), ge=0, le=100_000, decimal_places=3, description="of a shape, everywhere, metres"
    )
    convex: bool = Field(False, description="whether shapes must be convex")
    max_vertices: int | None = Field(None, ge=4, le=100_000, description="of a shape")
    holes: bool = Field(True, description="whether shapes may have holes")
    cloud_guarantee_percent: Exact | None = Field(
        None, ge=0, le=100, decimal_places=2, description="the most cloud that is delivered and charged"
    )
    licence: str | None = Field(None, min_length=1, max_length=200)
    source: str = Field("entered by hand", min_length=1, max_length=500, description="where it was read")
    captured_at: date = Field(default_factory=today, description="when it was read")
    valid_from: date | None = Field(None, description="first day; none: always was")
    valid_to: date | None = Field(None, description="last day; none: until further notice")

    def columns(self) -> dict[str, Any]:
        """Return the row's values; tiers as JSON keeps them."""
        tiers = [tier.model_dump(mode="json") for tier in self.tiers]
        return self.model_dump() | {"tiers": tiers}

    def terms(self) -> PriceTerms:
        """Return what arithmetic needs."""
        first = [] if self.price_per_km2 is None else [(Decimal(0), self.price_per_km2)]
        tiers = [*first, *((tier.above_km2, tier.price_per_km2) for tier in self.tiers)]
        return PriceTerms(
            currency=self.currency,
            tiers=tuple(Tier(above_km2=above, price_per_km2=price) for above, price in tiers),
            flat=self.price_per_scene or Decimal(0),
            minimum_km2=self.minimum_km2,
            minimum_applies_to=self.minimum_applies_to,
            minimum_charge=self.minimum_charge,
            areas_summed=self.areas_summed,
            rules=ShapeRules(
                minimum_width_m=self.minimum_width_m,
                convex=self.convex,
                max_vertices=self.max_vertices,
                holes=self.holes,
            ),
        )


class PriceListIn(PriceListTerms):
    """A provider's terms as published by the workspace."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [EXAMPLE]}, str_strip_whitespace=True
    )

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$",
        description="what a plan calls it; the same name again is a new version",
    )

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

    @field_validator("tiers")
    @classmethod
    def _ascend(cls, tiers: list[TierOut]) -> list[TierOut]:
        if any(after.above_km2 <= before.above_km2 for before, after in pairwise(tiers)):
            raise ValueError("tiers go from the smallest area up, each area once")
        return tiers

    @model_validator(mode="after")
    def _has_one_price(self) -> "PriceListIn":
        if (self.price_per_km2 is None) == (self.price_per_scene is None):
            raise ValueError("give price_per_km2 or price_per_scene, one of the two")
        if self.tiers and self.price_per_km2 is None:
            raise ValueError("tiers go with price_per_km2: a price per scene has none")
        return self

    @model_validator(mode="after")
    def _is_valid_for_a_day(self) -> "PriceListIn":
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError("valid_to is before valid_from")
        return self


class PriceListOut(PriceListTerms):
    """One version of a price list; it never changes."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    version: int
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


class ImportedOut(BaseModel):
    """What became of a file of price lists."""

    published: int
    unchanged: int = Field(description="lists that were the newest version of their name already")
    items: list[PriceListOut] = Field(description="in the file's order")
