"""Views of lists of plans and orders."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from loupe.answers.base import Json
from service.terminal.blocks import money, plural
from service.terminal.tables import columns

PATCHES_SHOWN = 12


def plans_view(plans: Sequence[Json]) -> RenderableType:
    """Return plans with what they buy, cost and save, one a line."""
    rows = [
        (
            plan["id"],
            minute(plan["created_at"]),
            f"{plan['patches']['bought']:,} of {plan['patches']['total']:,}",
            money(plan["cost"]),
            money(plan["savings"]["billable"]),
            plan.get("name") or "",
        )
        for plan in plans
    ]
    titles = ("Plan", "Created (UTC)", "Patches", "Cost", "Saves", "Name")
    return columns(titles, rows, right={"Patches", "Cost", "Saves"})


def orders_view(orders: Sequence[Json]) -> RenderableType:
    """Return orders with their status, patches, money and deadline, one a line."""
    rows = [
        (
            order["id"],
            order["status"].replace("_", " "),
            f"{order['counts']['delivered']:,} of {order['counts']['bought']:,}",
            money(order["amounts"]["total"]),
            order["expires_at"][:10] if order["counts"]["awaited"] else "",
            order.get("name") or "",
        )
        for order in orders
    ]
    titles = ("Order", "Status", "Delivered", "Total", "Due", "Name")
    return columns(titles, rows, right={"Delivered", "Total"})


def awaited_view(order: Json) -> RenderableType:
    """Return the history of an order, and the patches that it awaits."""
    steps = [
        (minute(step["at"]), step["status"].replace("_", " "), reason(step)) for step in order["statuses"]
    ]
    parts: list[RenderableType] = [Text(), columns(("When (UTC)", "Status", "Reason"), steps)]
    awaited = order["patches"]["awaited"]
    if awaited:
        named = ", ".join(f"{one['tile']}/{one['patch']}" for one in awaited[:PATCHES_SHOWN])
        more = f" and {order['counts']['awaited'] - PATCHES_SHOWN:,} more" * (len(awaited) > PATCHES_SHOWN)
        parts.append(
            Text(f"\n{plural(order['counts']['awaited'], 'patch')} awaited (tile/patch): {named}{more}.")
        )
        parts.append(Text(f"To upload patches: loupe deliver {order['id']} FILE..."))
    return Group(*parts)


def reason(step: Json) -> str:
    """Return the cause of a step of an order's history, and the note of a person."""
    cause = step["reason_code"].replace("_", " ")
    return f"{cause}: {step['note']}" if step.get("note") else str(cause)


def minute(moment: str) -> str:
    """Format a time of the API by its minute: "2026-11-29 14:05"."""
    return moment[:16].replace("T", " ")
