"""Price lists as JSON. Decimals are strings, so that no float rounds a price."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from service.pricing.band_order import BandOrder
from service.pricing.billing import PriceTerms
from service.pricing.charge_rules import Scope, Tier
from service.pricing.documents import EXAMPLE, NAME_PATTERN, ONE_PRICE
from service.pricing.exact import Hundredths, Millionths, Thousandths
from service.pricing.order_limits import OrderLimits
from service.pricing.shape_rules import ShapeRules
from service.pricing.tables import PriceList
from service.web.money import CurrencyCode
from service.web.paging import Link
from service.web.values import BodyWholeNumber, BodyYesOrNo, Day, Line, invalid

RESERVED = "example-"
"""The prefix of names that are reserved for the shipped examples."""

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

NOTICE = (
    "This price list is an example from public sources, not an offer. "
    "Enter your provider's terms before you decide by it."
)


def today() -> date:
    """Return the date in UTC."""
    return datetime.now(UTC).date()


class TierOut(BaseModel):
    """The price of the area of an order beyond a limit."""

    model_config = ConfigDict(extra="forbid")

    above_km2: Millionths = Field(
        gt=0, le=1_000_000, description="Area from which the price applies, in km2."
    )
    price_per_km2: Millionths = Field(
        gt=0, le=1_000_000, description="Price of each km2 beyond it, in major units."
    )


class PriceListTerms(BaseModel):
    """A provider's product, its prices and its rules for orders."""

    provider: str = Field(min_length=1, max_length=200, description="Company that sells the imagery.")
    product: str = Field(min_length=1, max_length=200, description="Product that the prices apply to.")
    mode: Literal["archive", "tasking"] = Field(
        "archive", description="`archive` for existing imagery, `tasking` for imagery taken on demand."
    )
    gsd_m: Thousandths = Field(gt=0, le=1000, description="Ground sample distance, in metres.")
    currency: str = Field(description="ISO 4217 code of the currency of every price in the list.")
    price_per_km2: Millionths | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="Price per km2, in major units. Give either this or `price_per_scene`.",
    )
    price_per_scene: Millionths | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="Price of a scene, whatever its area. Give either this or `price_per_km2`.",
    )
    tiers: list[TierOut] = Field(
        [],
        max_length=20,
        description="Prices beyond area limits. Only the area beyond a limit has its price.",
    )
    minimum_km2: Millionths = Field(
        Decimal(0), ge=0, le=1_000_000, description="Minimum billable area, in km2."
    )
    minimum_applies_to: Scope = Field(
        "order", description="Whether the minimum area applies to the whole order or to each shape."
    )
    minimum_charge: Millionths = Field(
        Decimal(0),
        ge=0,
        le=1_000_000,
        description="Minimum amount of an invoice, in major units.",
    )
    areas_summed: BodyYesOrNo = Field(
        True,
        description="Whether all shapes of an order share one invoice. "
        "If false, each shape is billed as an order of its own.",
    )
    minimum_width_m: Thousandths = Field(
        Decimal(0),
        ge=0,
        le=100_000,
        description="Minimum width of every part of a shape, in metres.",
    )
    convex: BodyYesOrNo = Field(False, description="Whether shapes must be convex.")
    max_vertices: BodyWholeNumber | None = Field(
        None, ge=4, le=100_000, description="Maximum number of vertices of a shape. Null for no limit."
    )
    holes: BodyYesOrNo = Field(True, description="Whether shapes may have holes.")
    max_parts: BodyWholeNumber | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Maximum number of shapes in an order. Null for no limit. A plan beyond it, or "
        "beyond the next two, warns and cannot be ordered.",
    )
    minimum_part_km2: Millionths | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="Smallest shape that the provider takes, in km2. Null for no limit. A minimum that is "
        "billed, and not refused, is `minimum_km2`.",
    )
    maximum_part_km2: Millionths | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="Largest shape that the provider takes, in km2. Null for no limit.",
    )
    cloud_guarantee_percent: Hundredths | None = Field(
        None,
        ge=0,
        le=100,
        description="Maximum cloud cover that is delivered and charged, in percent.",
    )
    licence: str | None = Field(None, min_length=1, max_length=200, description="Licence of the imagery.")
    delivery_bands: BandOrder | None = Field(
        None,
        examples=["3,2,1"],
        description="Numbers of the red, green and blue bands in the files that the provider delivers, "
        "counted from 1: `3,2,1` for blue, green, red, near infrared (Planet, Maxar). They apply to "
        "deliveries sent without `bands`. Null: Loupe finds the bands of each file.",
    )
    source: str = Field(
        "entered by hand", min_length=1, max_length=500, description="Document that the prices come from."
    )
    captured_at: Day = Field(default_factory=today, description="Day on which the source was read.")
    valid_from: Day | None = Field(None, description="First day of validity. Null for no start.")
    valid_to: Day | None = Field(None, description="Last day of validity. Null for no end.")

    def columns(self) -> dict[str, Any]:
        """Return the values of a database row; tiers as JSON."""
        tiers = [tier.model_dump(mode="json") for tier in self.tiers]
        return self.model_dump() | {"tiers": tiers}

    def limits(self) -> OrderLimits:
        """Return what the provider takes in one order."""
        return OrderLimits(
            max_parts=self.max_parts,
            smallest_km2=self.minimum_part_km2,
            largest_km2=self.maximum_part_km2,
        )

    def terms(self) -> PriceTerms:
        """Return the terms that bills depend on."""
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
    """A price list to publish."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [EXAMPLE], "oneOf": ONE_PRICE},
    )

    provider: Line = Field(
        min_length=1, max_length=200, description="Company that sells the imagery.", examples=["Acme Imagery"]
    )
    product: Line = Field(
        min_length=1,
        max_length=200,
        description="Product that the prices apply to.",
        examples=["0.5 m archive"],
    )
    currency: CurrencyCode = Field(description="ISO 4217 code of the currency of every price in the list.")
    licence: Line | None = Field(None, min_length=1, max_length=200, description="Licence of the imagery.")
    source: Line = Field(
        "entered by hand", min_length=1, max_length=500, description="Document that the prices come from."
    )
    name: str = Field(
        json_schema_extra={"pattern": NAME_PATTERN},
        description="Name that plans refer to. Publishing the same name again makes a new version.",
    )

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if not NAME.fullmatch(name):
            raise invalid(
                "name-invalid",
                'A name has 1 to 64 of the characters a-z, 0-9, ".", "_" and "-". It begins with a letter or '
                "a digit.",
            )
        if name.startswith(RESERVED):
            raise invalid(
                "name-invalid", f"Names that begin with {RESERVED!r} are reserved for the shipped examples."
            )
        try:
            UUID(name)
        except ValueError:
            return name
        raise invalid(
            "name-invalid", "A name must not be a UUID, because plans also refer to price lists by id."
        )

    @field_validator("tiers")
    @classmethod
    def _ascend(cls, tiers: list[TierOut]) -> list[TierOut]:
        if any(after.above_km2 <= before.above_km2 for before, after in pairwise(tiers)):
            raise invalid("tiers-invalid", "Tiers must be in ascending order of area, each area once.")
        return tiers

    @model_validator(mode="after")
    def _has_one_price(self) -> "PriceListIn":
        if (self.price_per_km2 is None) == (self.price_per_scene is None):
            raise invalid("price-invalid", "Give either price_per_km2 or price_per_scene.")
        if self.tiers and self.price_per_km2 is None:
            raise invalid("tiers-invalid", "Tiers need price_per_km2. A price per scene has no tiers.")
        return self

    @model_validator(mode="after")
    def _has_parts_between_its_limits(self) -> "PriceListIn":
        if self.minimum_part_km2 and self.maximum_part_km2 and self.maximum_part_km2 < self.minimum_part_km2:
            raise invalid("parts-invalid", "The maximum_part_km2 must not be below the minimum_part_km2.")
        return self

    @model_validator(mode="after")
    def _is_valid_for_a_day(self) -> "PriceListIn":
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise invalid("days-invalid", "The day valid_to must not be before valid_from.")
        return self


class PriceListOut(PriceListTerms):
    """A version of a price list. Versions never change."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="Id of this version.")
    name: str = Field(description="Name of the price list.")
    version: int = Field(description="Version number, from 1.")
    example: bool = Field(description="Whether this is one of the shipped examples.")
    notice: str | None = Field(None, description="Warning that an example is not an offer, else null.")
    created_at: datetime = Field(description="Time of publication.")
    links: list[Link] = Field([], description="Related resources.")

    @classmethod
    def of(cls, row: PriceList) -> "PriceListOut":
        """Convert a stored price list."""
        links = [
            Link(rel="self", href=f"/v1/price-lists/{row.id}"),
            Link(
                rel="plans",
                href=f"/v1/plans?price_list={row.id}",
                title="POST a scene here to plan it with this price list.",
            ),
        ]
        update = {"links": links, "notice": NOTICE if row.example else None}
        return cls.model_validate(row).model_copy(update=update)


class ImportedOut(BaseModel):
    """The result of an import of price lists."""

    published: int = Field(description="Number of new versions.")
    unchanged: int = Field(description="Number of lists that equal the newest version of their name.")
    items: list[PriceListOut] = Field(description="Price lists in the order of the file.")
