"""The realised saving of every currency, from invoices and exports alone.

Nothing of the service is imported, and no figure of its own is used: what was paid is the sum of the
provider's documents, and the price of a ground follows from the terms of the price list and from areas.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from tests.evidence.bought import Bought, Json, amount
from tests.evidence.savings import (
    Fetcher,
    Reader,
    account,
    items,
    read_orders,
    realised_cost,
    realised_saving,
)

GROUND_ERROR = Decimal("0.00001")
"""Share of an area by which two projections of it may differ."""


@dataclass
class InvoicedOrder(Bought):
    """An order whose money is what the provider's documents say."""

    documents: Sequence[tuple[Json, Json]] = ()
    """The invoices and credit notes that name it, each with one of its lines."""

    @property
    def paid(self) -> Decimal:
        """Sum of the lines of invoices minus those of credit notes."""
        signs = {"invoice": 1, "credit-note": -1}
        return sum((signs[one["kind"]] * amount(line["amount"]) for one, line in self.documents), Decimal(0))


def savings_by_invoice(read: Reader, fetch: Fetcher) -> dict[str, tuple[Decimal | None, Decimal]]:
    """Return the realised saving and its cost by currency; example prices are left out."""
    documents = [(one, line) for one in items(read, "/v1/invoices?limit=100") for line in one["lines"]]
    bought: list[Bought] = [with_documents(one, documents) for one in read_orders(read, fetch)]
    account(bought)
    real = [one for one in bought if not one.product[2]]
    found = {one.plan["cost"]["currency"]: list[Bought]() for one in bought}
    for one in real:
        found[one.plan["cost"]["currency"]].append(one)
    return {currency: (realised_saving(orders), realised_cost(orders)) for currency, orders in found.items()}


def with_documents(one: Bought, documents: Sequence[tuple[Json, Json]]) -> InvoicedOrder:
    """Return an order with the documents that name it and a baseline of our own."""
    order, number = one.order, one.order["id"]
    baseline = {"amount": str(price_of_ground(one)), "currency": one.plan["cost"]["currency"]}
    return InvoicedOrder(
        order=order,
        plan=one.plan | {"baseline": baseline},
        bill=one.bill,
        patches=one.patches,
        adjustments=one.adjustments,
        fetch=one.fetch,
        documents=[(document, line) for document, line in documents if number in line["reference"]],
    )


def price_of_ground(one: Bought) -> Decimal:
    """Return the bill for every patch of an order's scene. ValueError when it is for less than the ground."""
    areas = [Decimal(line["area_km2"]) for line in one.bill["everything"]["lines"]]
    ground = Decimal(one.ground.area) / 1_000_000
    if sum(areas) < ground * (1 - GROUND_ERROR):
        raise ValueError(f"the baseline of {one.order['id']} is for {sum(areas)} of {ground} km2")
    return bill_by_terms(areas, one.bill["terms"], one.unit)


def bill_by_terms(shapes_km2: Sequence[Decimal], terms: Mapping[str, object], unit: Decimal) -> Decimal:
    """Bill one order of shapes by the terms of a price list, in multiples of `unit`."""
    least = decimal_of(terms, "minimum_km2")
    if terms["minimum_applies_to"] == "shape":
        shapes_km2 = [max(area, least) for area in shapes_km2]
    invoices = [sum(shapes_km2, Decimal(0))] if terms["areas_summed"] else shapes_km2
    return sum((_invoice(max(area, least), terms, unit) for area in invoices if area), Decimal(0))


def _invoice(area_km2: Decimal, terms: Mapping[str, object], unit: Decimal) -> Decimal:
    tiers = [(Decimal(one["above_km2"]), Decimal(one["price_per_km2"])) for one in terms["tiers"] or ()]  # type: ignore[attr-defined]
    if terms["price_per_km2"] is not None:
        tiers = [(Decimal(0), decimal_of(terms, "price_per_km2")), *tiers]
    price = decimal_of(terms, "price_per_scene")
    for (above, rate), following in zip(tiers, [*tiers[1:], None], strict=True):
        end = area_km2 if following is None else min(area_km2, following[0])
        price += rate * max(Decimal(0), end - above)
    price = max(price, decimal_of(terms, "minimum_charge"))
    return (price / unit).quantize(Decimal(1), ROUND_HALF_UP) * unit


def decimal_of(terms: Mapping[str, object], name: str) -> Decimal:
    """Return an amount or area of the terms, 0 without it."""
    return Decimal(str(terms[name] or 0))
