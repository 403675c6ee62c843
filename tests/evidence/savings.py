"""Every figure of the savings report, computed again from orders, deliveries, adjustments and plans.

Nothing of the service is imported: the documents of its API are read over HTTP and added up here.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Annotated

import httpx
import shapely
import typer
from shapely.geometry.base import BaseGeometry

from tests.evidence.bought import Bought, Json, amount, reused, total, uncovered
from tests.evidence.relied import count_reuse, rely

Reader = Callable[[str], Json]
"""Gets the document at a path of the API."""
FIGURES = ("realised", "ordered", "held", "billable", "list", "reused")
AMOUNTS = (
    "baseline", "cost", "held_baseline", "held_cost", "realised_baseline", "realised_cost", "settled",
    "settled_on_cancelled",
)  # fmt: skip
COUNTS = ("orders", "completed", "open", "held", "cancelled")
SLIVER_MONEY = Decimal("0.00002")
"""Share of a baseline by which two measurements of a partial overlap may differ."""


def recompute_savings(read: Reader) -> dict[str, Json]:
    """Return the figures, amounts and counts of each currency, computed from the API's documents."""
    bought = sorted(read_orders(read), key=lambda one: one.placed)
    by_id = {one.order["id"]: one for one in bought}
    for one in bought:
        rely(one, by_id)
    for product in {one.product for one in bought}:
        share_ground([one for one in bought if one.product == product])
        count_reuse([one for one in bought if one.product == product])
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
        if one.standing in {"open", "completed"} and one.has_ground:
            one.shares["ordered"], ordered = uncovered(one, ordered), ordered.union(one.ground)
        if one.standing == "completed" and one.has_ground:
            one.shares["realised"], realised = uncovered(one, realised), realised.union(one.ground)
    held = ordered
    for one in orders:
        if one.standing == "held" and one.has_ground:
            one.shares["held"], held = uncovered(one, held), held.union(one.ground)
        one.shares["paid"] = 1 if one.standing in {"completed", "cancelled"} else 1 - uncovered(one, realised)


def add_up(orders: Sequence[Bought]) -> Json:
    """Return the sums over the orders of one currency."""
    standing = [one for one in orders if one.standing in {"open", "completed"}]
    ended = [one for one in orders if one.standing == "cancelled"]
    held = [one for one in orders if one.standing == "held"]
    wasted = sum((one.paid for one in ended), Decimal(0))
    completed = [one for one in orders if one.standing == "completed"]
    sums = {
        "baseline": counted(standing, "ordered"),
        "cost": wasted + total(amount(one.plan["cost"]) + one.of_others(reused(one)) for one in standing),
        "held_baseline": counted(held, "held"),
        "held_cost": total(
            amount(one.plan["cost"]) + one.part(reused(one), one.foreign if one.has_ground else 0)
            for one in held
        ),
        "realised_baseline": counted(orders, "realised"),
        "realised_cost": total(one.part(one.paid, one.shares["paid"]) for one in orders)
        + total(one.of_others(reused(one)) for one in completed),
        "settled": sum((one.paid for one in orders), Decimal(0)),
        "settled_on_cancelled": wasted,
    }
    listed = total(one.part(one.listed("everything"), one.shares.get("ordered", 0.0)) for one in standing)
    listed -= total(one.listed("chosen") for one in standing)
    listed -= total(one.of_others(one.listed("without_reuse") - one.listed("chosen")) for one in standing)
    is_realised = any(one.has_ground for one in completed) or sums["realised_cost"] != 0
    ordered = sums["baseline"] - sums["cost"]
    return sums | {
        "savings": {
            "realised": sums["realised_baseline"] - sums["realised_cost"] if is_realised else None,
            "ordered": ordered,
            "held": sums["held_baseline"] - sums["held_cost"],
            "billable": ordered,
            "list": listed - wasted,
            "reused": total(one.reused for one in standing),
        },
        "orders": len(orders),
        **{name: sum(one.status == name for one in orders) for name in COUNTS[1:]},
        "slack": sum((slack(one) for one in orders), Decimal(0)),
    }


def counted(orders: Sequence[Bought], figure: str) -> Decimal:
    return total(one.part(amount(one.plan["baseline"]), one.shares.get(figure, 0.0)) for one in orders)


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
