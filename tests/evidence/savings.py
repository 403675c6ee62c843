"""Every figure of the savings report, computed again from orders, deliveries, adjustments and plans.

Nothing of the service is imported: the documents of its API are read over HTTP and added up here.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Annotated

import httpx
import typer

from tests.evidence.bought import Bought, Json, amount, may_be_same, reused, total, uncovered
from tests.evidence.relied import count_reuse, rely

Reader = Callable[[str], Json]
"""Gets the document at a path of the API."""
Fetcher = Callable[[str], bytes]
"""Downloads the file at a path of the API."""
FIGURES = ("realised", "ordered", "held", "billable", "list", "reused", "example")
AMOUNTS = (
    "baseline", "cost", "held_baseline", "held_cost", "realised_baseline", "realised_cost", "settled",
    "settled_on_cancelled", "returned",
)  # fmt: skip
COUNTS = ("orders", "completed", "open", "held", "cancelled", "returned_patches")
SLIVER_MONEY = Decimal("0.00002")
"""Share of a baseline by which two measurements of a partial overlap may differ."""


def recompute_savings(read: Reader, fetch: Fetcher) -> dict[str, Json]:
    """Return the figures, amounts and counts of each currency, computed from the API's documents."""
    bought = list(read_orders(read, fetch))
    account(bought)
    currencies = {one.plan["cost"]["currency"] for one in bought}
    return {
        currency: add_up([one for one in bought if one.plan["cost"]["currency"] == currency])
        for currency in sorted(currencies)
    }


def account(bought: list[Bought]) -> None:
    """Sort the orders of a workspace by time, and note which of them counts which ground."""
    bought.sort(key=lambda one: one.placed)
    by_id = {one.order["id"]: one for one in bought}
    for one in bought:
        rely(one, by_id)
    for product in {one.product for one in bought}:
        share_ground([one for one in bought if one.product == product])
        count_reuse([one for one in bought if one.product == product])


def read_orders(read: Reader, fetch: Fetcher) -> Iterator[Bought]:
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
            fetch=fetch,
        )


def share_ground(orders: Sequence[Bought]) -> None:
    """Note for the orders of one price list which share of its scene each is the first to count."""
    ordered: list[Bought] = []
    realised: list[Bought] = []
    for one in orders:
        if one.standing in {"open", "completed"} and one.has_ground:
            one.shares["ordered"] = uncovered(one, ordered)
            ordered.append(one)
        if one.standing == "completed" and one.has_ground:
            one.shares["realised"] = uncovered(one, realised)
            realised.append(one)
    held = list(ordered)
    for one in orders:
        if one.standing == "held" and one.has_ground:
            one.shares["held"] = uncovered(one, held)
            held.append(one)
        one.shares["paid"] = 1 if one.standing in {"completed", "cancelled"} else 1 - uncovered(one, realised)


def returned_for_good(one: Bought, orders: Sequence[Bought]) -> Decimal:
    """Return what was paid for patches that were refunded as unusable and that no other order delivered."""
    alike = [
        other
        for other in orders
        if other is not one and other.product == one.product and other.ground.equals(one.ground)
        and may_be_same(one, other)
    ]  # fmt: skip
    came = {
        (part["tile"], part["patch"])
        for other in alike
        for part in other.order["patches"]["delivered"]
        if (part["tile"], part["patch"]) not in other.returned
    }
    return total(paid for place, paid in one.returned.items() if place not in came)


def add_up(orders: Sequence[Bought]) -> Json:
    """Return the sums over the orders of one currency."""
    standing = [one for one in orders if one.standing in {"open", "completed"}]
    ended = [one for one in orders if one.standing == "cancelled"]
    held = [one for one in orders if one.standing == "held"]
    wasted = sum((one.paid for one in ended), Decimal(0))
    real = [one for one in orders if not one.product[2]]
    examples = [one for one in orders if one.product[2]]
    sums = {
        "baseline": counted(standing, "ordered"),
        "cost": wasted + total(amount(one.plan["cost"]) + one.of_others(reused(one)) for one in standing),
        "held_baseline": counted(held, "held"),
        "held_cost": total(
            amount(one.plan["cost"]) + one.part(reused(one), one.foreign if one.has_ground else 0)
            for one in held
        ),
        "realised_baseline": realised_baseline(real),
        "realised_cost": realised_cost(real),
        "settled": sum((one.paid for one in orders), Decimal(0)),
        "settled_on_cancelled": total(one.paid for one in orders if one.status == "cancelled"),
        "returned": total(total(one.returned.values()) for one in orders),
    }
    listed = total(one.part(one.listed("everything"), one.shares.get("ordered", 0.0)) for one in standing)
    listed -= total(one.listed("chosen") for one in standing)
    listed -= total(one.of_others(one.listed("without_reuse") - one.listed("chosen")) for one in standing)
    ordered = sums["baseline"] - sums["cost"]
    return sums | {
        "savings": {
            "realised": realised_saving(real),
            "example": realised_saving(examples),
            "ordered": ordered,
            "held": sums["held_baseline"] - sums["held_cost"],
            "billable": ordered,
            "list": listed - wasted,
            "reused": total(one.reused for one in standing),
        },
        "orders": len(orders),
        **{name: sum(one.status == name for one in orders) for name in COUNTS[1:5]},
        "returned_patches": sum(len(one.returned) for one in orders),
        "slack": sum((slack(one) for one in orders), Decimal(0)),
    }


def realised_baseline(orders: Sequence[Bought]) -> Decimal:
    return total(
        one.part(
            amount(one.plan["baseline"]) - returned_for_good(one, orders), one.shares.get("realised", 0.0)
        )
        for one in orders
    )


def realised_cost(orders: Sequence[Bought]) -> Decimal:
    paid = total(one.part(one.paid, one.shares["paid"]) for one in orders)
    return paid + total(one.of_others(reused(one)) for one in orders if one.standing == "completed")


def realised_saving(orders: Sequence[Bought]) -> Decimal | None:
    """Return the saving of completed orders and of what was paid in vain; None when there is neither."""
    cost = realised_cost(orders)
    if cost == 0 and not any(one.has_ground for one in orders if one.standing == "completed"):
        return None
    return realised_baseline(orders) - cost


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

        def fetch(path: str) -> bytes:
            answer = client.get(path)
            answer.raise_for_status()
            return answer.content

        report = read("/v1/reports/savings")["currencies"]
        own = recompute_savings(read, fetch)
    for currency, sums in own.items():
        typer.echo(f"{currency}: {sums['orders']} orders")
        for kind in FIGURES:
            typer.echo(f"  {kind:9} {sums['savings'][kind]}")
    found = differences(report, own)
    typer.echo("\n".join(found) or "The report has the same figures.")
    raise typer.Exit(1 if found else 0)
