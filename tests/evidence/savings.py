"""Every figure of the savings report, computed again from orders, deliveries, adjustments and plans.

Nothing of the service is imported: the documents of its API are read over HTTP and added up here.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import Annotated, Any

import httpx
import numpy as np
import shapely
import typer
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

Json = dict[str, Any]
Reader = Callable[[str], Json]
"""Gets the document at a path of the API."""
FIGURES = ("realised", "ordered", "held", "billable", "list", "reused")
AMOUNTS = (
    "baseline", "cost", "held_baseline", "held_cost", "realised_baseline", "realised_cost", "settled",
    "settled_on_cancelled",
)  # fmt: skip
COUNTS = ("orders", "completed", "open", "held", "cancelled")
STANDING = {
    "held": "held", "accepted": "open", "processing": "open", "completed": "completed",
    "user_cancelled": "cancelled", "rejected": "cancelled", "expired": "cancelled",
}  # fmt: skip
SLIVER = 1e-5
"""Share of a scene below which an overlap is an error of measurement."""
SLIVER_MONEY = Decimal("0.00002")
"""Share of a baseline by which two measurements of a partial overlap may differ."""
TO_EQUAL_AREA = Transformer.from_crs("EPSG:4326", {"proj": "cea", "datum": "WGS84"}, always_xy=True)


@dataclass
class Bought:
    """One order: its documents and what follows from them."""

    order: Json
    plan: Json
    bill: Json
    patches: Sequence[Json]
    adjustments: Sequence[Json]
    shares: dict[str, float] = field(default_factory=dict)
    """Share of its scene that counts for the ordered, held and realised saving."""

    @property
    def standing(self) -> str:
        return STANDING[self.order["status"]]

    @property
    def product(self) -> tuple[str, str]:
        """Name of the price list, and currency."""
        return self.plan["provenance"]["price_list"]["name"], self.plan["cost"]["currency"]

    @property
    def placed(self) -> tuple[datetime, str]:
        return datetime.fromisoformat(self.order["created_at"]), self.order["id"]

    @property
    def paid(self) -> Decimal:
        """Sum of the deliveries, minus refunds, plus later charges."""
        paid = sum((amount(one["settled"]) for one in self.order["patches"]["delivered"]), Decimal(0))
        signs = {"refund": -1, "charge": 1}
        return paid + sum(signs[one["kind"]] * amount(one["amount"]) for one in self.adjustments)

    @property
    def unit(self) -> Decimal:
        """The currency's minor unit."""
        return Decimal(1).scaleb(Decimal(self.plan["cost"]["amount"]).as_tuple().exponent)  # type: ignore[arg-type]

    @cached_property
    def ground(self) -> BaseGeometry:
        """The patches with data, in an equal-area plane."""
        shapes = [shapely.geometry.shape(one["geometry"]) for one in self.patches]
        return shapely.transform(shapely.union_all(shapes), to_equal_area)

    def listed(self, name: str) -> Decimal:
        """Price of the bought patches (`chosen`) or of all (`everything`) without minimums."""
        terms = self.bill["terms"]
        area = sum((Decimal(line["area_km2"]) for line in self.bill[name]["lines"]), Decimal(0))
        if not area:
            return Decimal(0)
        tiers = [(Decimal(one["above_km2"]), Decimal(one["price_per_km2"])) for one in terms["tiers"]]
        if terms["price_per_km2"] is not None:
            tiers = [(Decimal(0), Decimal(terms["price_per_km2"])), *tiers]
        ends = [above for above, _ in tiers[1:]] + [max(area, Decimal(10) ** 12)]
        price = Decimal(terms["price_per_scene"] or 0)
        for (above, rate), end in zip(tiers, ends, strict=False):
            price += rate * max(Decimal(0), min(area, end) - above)
        return price.quantize(self.unit, ROUND_HALF_UP)

    def part(self, whole: Decimal, share: float) -> Decimal:
        """Return a share of an amount, rounded down to the minor unit."""
        return (whole * Decimal(share) / self.unit).to_integral_value("ROUND_FLOOR") * self.unit


def to_equal_area(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project longitudes and latitudes (N, 2)."""
    return np.stack(TO_EQUAL_AREA.transform(degrees[:, 0], degrees[:, 1]), axis=-1)


def amount(money: Json) -> Decimal:
    return Decimal(money["amount"])


def recompute_savings(read: Reader) -> dict[str, Json]:
    """Return the figures, amounts and counts of each currency, computed from the API's documents."""
    bought = sorted(read_orders(read), key=lambda one: one.placed)
    for product in {one.product for one in bought}:
        share_ground([one for one in bought if one.product == product])
    currencies = {one.plan["cost"]["currency"] for one in bought}
    return {
        currency: add_up([one for one in bought if one.plan["cost"]["currency"] == currency])
        for currency in sorted(currencies)
    }


def read_orders(read: Reader) -> Iterator[Bought]:
    adjustments = list(items(read, "/v1/ledger/adjustments?limit=100"))
    for summary in items(read, "/v1/orders?limit=100"):
        order = read(f"/v1/orders/{summary['id']}")
        plan = read(f"/v1/plans/{order['plan']}")
        features = items(read, f"/v1/plans/{order['plan']}/patches", "features")
        yield Bought(
            order=order,
            plan=plan,
            bill=read(f"/v1/plans/{order['plan']}/bill"),
            patches=[one for one in features if one["properties"]["status"] == "planned"],
            adjustments=[one for one in adjustments if one["order"] == order["id"]],
        )


def share_ground(orders: Sequence[Bought]) -> None:
    """Note for the orders of one price list which share of its scene each is the first to count."""
    ordered: BaseGeometry = shapely.Polygon()
    realised: BaseGeometry = shapely.Polygon()
    for one in orders:
        if one.standing in {"open", "completed"}:
            one.shares["ordered"], ordered = uncovered(one, ordered), ordered.union(one.ground)
        if one.standing == "completed":
            one.shares["realised"], realised = uncovered(one, realised), realised.union(one.ground)
    held = ordered
    for one in orders:
        if one.standing == "held":
            one.shares["held"], held = uncovered(one, held), held.union(one.ground)
        one.shares["paid"] = 1 if one.standing in {"completed", "cancelled"} else 1 - uncovered(one, realised)


def uncovered(one: Bought, covered: BaseGeometry) -> float:
    share = float(one.ground.difference(covered).area / one.ground.area)
    return 0.0 if share < SLIVER else 1.0 if share > 1 - SLIVER else share


def add_up(orders: Sequence[Bought]) -> Json:
    """Return the sums over the orders of one currency."""
    standing = [one for one in orders if one.standing in {"open", "completed"}]
    ended = [one for one in orders if one.standing == "cancelled"]
    held = [one for one in orders if one.standing == "held"]
    wasted = sum((one.paid for one in ended), Decimal(0))
    sums = {
        "baseline": counted(standing, "ordered"),
        "cost": wasted + sum(amount(one.plan["cost"]) for one in standing),
        "held_baseline": counted(held, "held"),
        "held_cost": sum((amount(one.plan["cost"]) for one in held), Decimal(0)),
        "realised_baseline": counted(orders, "realised"),
        "realised_cost": sum((one.part(one.paid, one.shares["paid"]) for one in orders), Decimal(0)),
        "settled": sum((one.paid for one in orders), Decimal(0)),
        "settled_on_cancelled": wasted,
    }
    listed = sum((one.part(one.listed("everything"), one.shares["ordered"]) for one in standing), Decimal(0))
    is_realised = any(one.standing == "completed" for one in orders) or sums["realised_cost"] != 0
    ordered = sums["baseline"] - sums["cost"]
    return sums | {
        "savings": {
            "realised": sums["realised_baseline"] - sums["realised_cost"] if is_realised else None,
            "ordered": ordered,
            "held": sums["held_baseline"] - sums["held_cost"],
            "billable": ordered,
            "list": listed - wasted - sum((one.listed("chosen") for one in standing), Decimal(0)),
            "reused": sum((reused(one) for one in standing), Decimal(0)),
        },
        "orders": len(orders),
        **{name: sum(one.standing == name for one in orders) for name in COUNTS[1:]},
        "slack": sum((slack(one) for one in orders), Decimal(0)),
    }


def counted(orders: Sequence[Bought], figure: str) -> Decimal:
    return sum(
        (one.part(amount(one.plan["baseline"]), one.shares.get(figure, 0.0)) for one in orders), Decimal(0)
    )


def reused(one: Bought) -> Decimal:
    return amount(one.plan["reuse"]["saved"]) if one.plan.get("reuse") else Decimal(0)


def slack(one: Bought) -> Decimal:
    """Return by how much two measurements of an order's partial shares may differ in money."""
    partial = any(0 < share < 1 for share in one.shares.values())
    return one.unit + SLIVER_MONEY * amount(one.plan["baseline"]) if partial else Decimal(0)


def differences(report: Sequence[Json], own: dict[str, Json]) -> list[str]:
    """Return a line for every figure of the report that differs from our own."""
    found = [] if [one["currency"] for one in report] == list(own) else ["the currencies differ"]
    for entry in report:
        ours = own.get(entry["currency"], {"savings": {}})
        pairs = {name: (entry[name], ours.get(name)) for name in (*AMOUNTS, *COUNTS)}
        pairs |= {kind: (entry["savings"][kind], ours["savings"].get(kind)) for kind in FIGURES}
        for name, (theirs, expected) in pairs.items():
            stated = amount(theirs) if isinstance(theirs, dict) else theirs
            if not agree(stated, expected, ours.get("slack", Decimal(0))):
                found.append(f"{entry['currency']} {name}: the report says {stated}, we find {expected}")
    return found


def agree(stated: Decimal | int | None, own: Decimal | int | None, slack: Decimal) -> bool:
    if isinstance(stated, Decimal) and isinstance(own, Decimal):
        return abs(stated - own) <= slack
    return stated == own


def items(read: Reader, path: str, name: str = "items") -> Iterator[Json]:
    """Yield the rows of every page of a list."""
    following: str | None = path
    while following:
        page = read(following)
        yield from page[name]
        following = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)


def print_savings(
    url: Annotated[str, typer.Option(help="Address of the server.")],
    key: Annotated[str, typer.Option(help="API key of the workspace.")],
) -> None:
    """Compute the savings of a workspace again and compare them with its report; exit 1 if any differs."""
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:

        def read(path: str) -> Json:
            answer = client.get(path)
            answer.raise_for_status()
            found: Json = answer.json()
            return found

        report = read("/v1/reports/savings")["currencies"]
        own = recompute_savings(read)
    for currency, sums in own.items():
        typer.echo(f"{currency}: {sums['orders']} orders")
        for kind in FIGURES:
            typer.echo(f"  {kind:9} {sums['savings'][kind]}")
    found = differences(report, own)
    typer.echo("\n".join(found) or "The report has the same figures.")
    raise typer.Exit(1 if found else 0)
