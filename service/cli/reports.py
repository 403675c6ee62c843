"""`loupe savings` and `loupe spend`: the reports, whole or divided into groups and steps."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from loupe import Client
from service.cli.budgets import find_budget
from service.cli.connection import (
    DEFAULT_URL,
    ApiKey,
    AsJson,
    Url,
    UsageError,
    console,
    open_client,
    print_json,
)
from service.cli.filters import First, Last
from service.terminal.documents import order_savings_view, savings_view
from service.terminal.reports import savings_groups_view, spend_view


class StepChoice(StrEnum):
    """The steps into which a report can be divided."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


Budget = Annotated[str | None, typer.Option(help="Budget of the orders, by name, id or its beginning.")]
Provider = Annotated[str | None, typer.Option(help="Provider of the price lists.")]
OfTag = Annotated[
    str | None, typer.Option("--tag", help="Tag of the order, or else of its budget, as NAME=VALUE.")
]
CostCenter = Annotated[str | None, typer.Option(help="Cost centre of the orders.")]
GroupBy = Annotated[
    str | None,
    typer.Option(
        metavar="GROUP",
        help="Divide the sums by budget, provider, price_list, cost_center, key, or tag:NAME for the values "
        "of a tag.",
    ),
]
Step = Annotated[
    StepChoice | None, typer.Option(help="Divide the sums by day, by week from Monday, or by month.")
]


def savings(  # noqa: PLR0913  (a command's parameters are its options)
    orders: Annotated[
        bool, typer.Option("--orders", help="Print one line per order, with the id for `loupe trace`.")
    ] = False,
    group_by: GroupBy = None,
    step: Step = None,
    first: First = None,
    last: Last = None,
    budget: Budget = None,
    provider: Provider = None,
    tag: OfTag = None,
    cost_center: CostCenter = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Show the realised saving first, then the ordered, list, held and reused ones, with their baselines.

    Options choose the orders that the report is about, by the day of placing. Each ground counts once among
    them. Groups add up to the report.
    """
    if orders and (group_by or step):
        raise UsageError("Orders are not divided into groups. Leave out either --orders or the groups.")
    with open_client(url, api_key) as client:
        limits = _limits(client, (first, last, budget, provider, tag, cost_center))
        if orders:
            pages = client.pages("/v1/reports/savings/orders", limit=100, **limits)
            found: Any = [one for page in pages for one in page["items"]]
        else:
            found = client.get("/v1/reports/savings", **limits, group_by=group_by, step=_word(step))
    if as_json:
        print_json(found)
    elif orders:
        console().print(order_savings_view(found) if found else "There is no such order yet.")
    else:
        console().print(savings_groups_view(found) if found.get("groups") else savings_view(found))


def spend(  # noqa: PLR0913  (a command's parameters are its options)
    group_by: GroupBy = None,
    step: Step = None,
    first: First = None,
    last: Last = None,
    budget: Budget = None,
    provider: Provider = None,
    tag: OfTag = None,
    cost_center: CostCenter = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Show what was paid, refunded and charged later, by month unless another group or step is given.

    Options choose the charges by their day, budget and price list. Groups add up to the total.
    """
    step = step if group_by or step else StepChoice.MONTH
    with open_client(url, api_key) as client:
        limits = _limits(client, (first, last, budget, provider, tag, cost_center))
        found = client.get("/v1/reports/spend", **limits, group_by=group_by, step=_word(step))
    if as_json:
        print_json(found)
    else:
        console().print(spend_view(found))


def _limits(client: Client, given: tuple[str | None, ...]) -> dict[str, str]:
    """Return the query parameters that choose orders or charges: days, budget, provider and labels."""
    first, last, budget, provider, tag, cost_center = given
    chosen = {"from": first, "to": last, "provider": provider, "tag": tag, "cost_center": cost_center}
    chosen["budget"] = None if budget is None else str(find_budget(client, budget)["id"])
    return {name: value for name, value in chosen.items() if value is not None}


def _word(step: StepChoice | None) -> str | None:
    return None if step is None else step.value
