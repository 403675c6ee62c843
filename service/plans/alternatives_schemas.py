"""The alternatives of a plan or an order as JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from service.bundles.card import images_measured, images_named
from service.bundles.evaluated import MeasuredRow, Way
from service.bundles.predictor import Predictor
from service.money import Money
from service.planner.curve import wilson
from service.plans.alternatives import DRAWS, Alternatives, Compared, LeftOut, ListBill, Spent
from service.plans.curve import ExpectedHere
from service.pricing.tables import PriceList
from service.web.money import MoneyOut
from service.web.paging import Link

MoneyBasis = Literal["planned", "paid"]
"""Whether the money to spend is a plan's cost or what was paid on an order."""

MEANINGS: Mapping[Way, str] = {
    "nothing": "buy nothing: labels from low resolution only",
    "plan": "buy what the plan buys",
    "central": "spend the same money on the middle of every tile (Fixed-H)",
    "random": f"spend the same money on random patches, the mean of {DRAWS} draws",
    "everything": "buy every patch of the scene, the baseline",
}


class MeasuredFigures(BaseModel):
    """Figures of the bundle's evaluation. They were measured on its images, not on this scene."""

    patches_per_tile: float = Field(
        description="Number of patches, of 16, that were bought per tile in the evaluation: the measured "
        "number that is closest to that of this scene."
    )
    accuracy: float = Field(description="Share of tiles with the correct label, 0 to 1.")
    interval: tuple[float, float] | None = Field(
        description="95 % confidence interval of the accuracy: Wilson's, from the number of images, or a "
        "bootstrap over sites. Null if the bundle states neither."
    )
    found: float | None = Field(
        description="Share of all objects that lay in bought patches. Null if the bundle counts nothing."
    )
    count_error: float | None = Field(
        description="Mean absolute error of a tile's count. Null if the bundle counts nothing."
    )

    @classmethod
    def of(cls, row: MeasuredRow, images: int | None) -> "MeasuredFigures":
        """Write a measured row."""
        interval = row.interval
        if interval is None and images is not None:
            interval = wilson(row.accuracy, images)
        return cls(**asdict(row) | {"interval": interval})


class Spending(BaseModel):
    """One way to spend the money, and what it gives."""

    way: Way = Field(description="`nothing`, `plan`, `central`, `random` or `everything`.")
    meaning: str = Field(description="The way in a phrase.")
    cost: MoneyOut = Field(description="Bill from the plan's price list; of `random`, the mean.")
    patches: float = Field(
        description="Number of bought patches; of `random`, the mean. Patches that lie in the ordered shapes "
        "count, because they are paid."
    )
    patches_per_tile: float = Field(
        description="Number of patches per tile, with those that are owned or on order."
    )
    measured: MeasuredFigures | None = Field(
        description="Measured with the closest number of patches per tile, at most 1 away. Null if the "
        "bundle's evaluation has no such row, or if the server no longer holds the bundle."
    )
    expected: ExpectedHere | None = Field(
        description="Expected of this scene, not measured: from the counts that the plan keeps. Null if the "
        "bundle counts nothing."
    )

    @classmethod
    def of(cls, spent: Spent, images: int | None) -> "Spending":
        """Write one way."""
        return cls(
            way=spent.way,
            meaning=MEANINGS[spent.way],
            cost=MoneyOut.of(spent.cost),
            patches=round(spent.patches, 2),
            patches_per_tile=round(spent.patches_per_tile, 4),
            measured=None if spent.measured is None else MeasuredFigures.of(spent.measured, images),
            expected=spent.expected,
        )


class CompetingList(BaseModel):
    """The bill of another price list for exactly the same patches."""

    price_list: UUID = Field(description="Id of the price list.")
    name: str = Field(description="Name of the price list.")
    version: int = Field(description="Version of the price list.")
    provider: str = Field(description="Provider.")
    product: str = Field(description="Product.")
    example: bool = Field(description="Whether its prices are examples and no offers.")
    bought: MoneyOut = Field(description="Bill for exactly the patches that the plan buys.")
    everything: MoneyOut = Field(description="Bill for every patch of the scene.")
    difference: MoneyOut | None = Field(
        description="`bought` minus the plan's cost: below zero if this list is cheaper. Null in another "
        "currency, because money is never converted."
    )

    @classmethod
    def of(cls, billed: ListBill, cost: Money) -> "CompetingList":
        """Write one price list's bill beside the plan's cost."""
        row = billed.price_list
        same = billed.bought.currency == cost.currency
        return cls(
            price_list=row.id,
            bought=MoneyOut.of(billed.bought),
            everything=MoneyOut.of(billed.everything),
            difference=MoneyOut.of(billed.bought - cost) if same else None,
            **{name: getattr(row, name) for name in ("name", "version", "provider", "product", "example")},
        )


class NotCompared(BaseModel):
    """A comparison that is not made."""

    subject: str = Field(description="The way or the price list.", examples=["central and random patches"])
    reason: str = Field(description="The reason, as a sentence.")

    @classmethod
    def of(cls, one: LeftOut) -> "NotCompared":
        """Write what is left out."""
        return cls(**asdict(one))


class AlternativesOut(BaseModel):
    """Other ways to spend the same money on the same scene, and the same patches at other prices.

    Nothing is stored, and no figure is part of a saving.
    """

    plan: UUID = Field(description="Id of the plan.")
    money: MoneyOut = Field(description="Amount that each way may spend.")
    money_is: MoneyBasis = Field(
        description="`planned`: the plan's cost; `paid`: what was paid on the order, minus refunds, plus "
        "later charges."
    )
    spending: list[Spending] = Field(description="Ways to spend it, from buying nothing to everything.")
    price_lists: list[CompetingList] = Field(
        description="Bills of the other price lists that are valid, today or on the day of the order; by "
        "currency, the cheapest first."
    )
    cheapest: UUID | None = Field(
        description="Id of the cheapest of them in the plan's currency that costs less than the plan. "
        "Examples count only beside a plan at example prices. Null if there is none."
    )
    left_out: list[NotCompared] = Field(description="Comparisons that are not made, with the reason.")
    source: str = Field(description="Where the figures come from.")
    links: list[Link] = Field(description="The plan and its curve.")

    @classmethod
    def members(
        cls, found: Alternatives, compared: Compared, own: PriceList, basis: MoneyBasis
    ) -> dict[str, Any]:
        """Write the members that plans and orders share."""
        images = None if found.predictor is None else images_measured(found.predictor.manifest)
        cheapest = compared.cheapest(found.money, examples=own.example)
        return {
            "plan": found.plan.id,
            "money": MoneyOut.of(found.money),
            "money_is": basis,
            "spending": [Spending.of(one, images) for one in compared.spent],
            "price_lists": [CompetingList.of(one, found.money) for one in compared.lists],
            "cheapest": cheapest and cheapest.price_list.id,
            "left_out": [NotCompared.of(one) for one in compared.left_out],
            "source": _source(found.predictor),
        }

    @classmethod
    def of(cls, found: Alternatives, compared: Compared, own: PriceList) -> "AlternativesOut":
        """Write the alternatives of a plan."""
        path = f"/v1/plans/{found.plan.id}"
        return cls(
            **cls.members(found, compared, own, "planned"),
            links=[
                Link(rel="self", href=f"{path}/alternatives"),
                Link(rel="plan", href=path),
                Link(rel="curve", href=f"{path}/curve"),
            ],
        )


def _source(predictor: Predictor | None) -> str:
    if predictor is None:
        return "The server no longer holds the plan's bundle, so no accuracy is shown. Bills are computed."
    manifest = predictor.manifest
    return (
        "Bills are computed from the price lists. `measured` is what the bundle "
        f"{manifest.name} {manifest.version} reached on {images_named(manifest)} with that number of patches "
        "per tile, for `random` with patches nearer to the middle drawn more often; it is no promise for "
        "this scene. `expected` follows from the plan's counts."
    )
