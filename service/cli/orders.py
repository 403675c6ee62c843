"""`loupe order`, `loupe approve` and `loupe classify`: from a plan to labels."""

from http import HTTPStatus
from typing import Annotated

import typer

from loupe import ProblemError, calls
from loupe.paths import path_to
from service.cli.budgets import find_budget, tags_of
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
from service.cli.jobs import following
from service.cli.short_ids import full_id, full_id_of_any
from service.terminal.blocks import money, plural
from service.terminal.documents import classification_view, order_view
from service.terminal.proposals import proposals_view
from service.terminal.wording import plainly

Waiting = Annotated[
    str, typer.Argument(metavar="ID", help="Id of the order or proposal that waits, or its beginning.")
]
OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="Id of the order, or its beginning.")]


def order(  # noqa: PLR0913  (a command's parameters are its options)
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Id of the plan, or its beginning.")],
    budget: Annotated[
        str | None,
        typer.Option(
            help="Budget, by name, id or its beginning. Default: the only budget in the currency of the plan."
        ),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Label the order. Repeat for several.")
    ] = None,
    cost_center: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Cost centre that the order is booked to.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Name for people. Default: the plan's.")
    ] = None,
    external_id: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Id in a system of yours. Default: the plan's.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Order the patches of a plan. HOLDS their cost in a budget, after asking for confirmation."""
    tags = tags_of(tag)
    with open_client(url, api_key) as client:
        plan = full_id(client, "plan", plan)
        budget_id = None if budget is None else find_budget(client, budget)["id"]
        if not yes:
            planned = client.get(path_to("plans", plan))
            what = f"{plural(planned['patches']['bought'], 'patch')} for {money(planned['cost'])}"
            payer = f'budget "{budget}"' if budget else f"the only {planned['cost']['currency']} budget"
            typer.confirm(f"Order {what}? The amount will be held in {payer}.", abort=True, err=True)
        placed = client.run(
            calls.order(
                plan,
                budget_id,
                name=name,
                external_id=external_id,
                tags=tags or None,
                cost_center=cost_center,
            )
        )
    if as_json:
        print_json(placed)
        return
    console().print(order_view(placed))
    if placed["status"] == "held":
        console().print(
            f"\nThe order waits for approval by a second key.\nTo approve it: loupe approve {placed['id']}"
        )
    elif placed["counts"]["awaited"]:
        console().print(f"\nTo upload patches: loupe deliver {placed['id']} FILE...")


def approve(
    waiting: Waiting,
    reject: Annotated[
        bool, typer.Option("--reject", help="Reject it. An order RELEASES its held money.")
    ] = False,
    note: Annotated[str | None, typer.Option(help="Reason for the decision; kept with it.")] = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Approve or reject an order, a charge or a change of a budget that needs a second key.

    The holder of the key that ordered, charged or changed cannot approve. An approved charge MOVES money.
    """
    with open_client(url, api_key) as client:
        waiting = full_id_of_any(client, ("order", "proposal"), waiting)
        try:
            decided = client.run(calls.decide(waiting, "reject" if reject else "approve", note))
        except ProblemError as problem:
            if problem.status != HTTPStatus.NOT_FOUND:
                raise
            raise UsageError(f"There is no order or proposal {waiting}.") from problem
    if as_json:
        print_json(decided)
        return
    console().print(proposals_view([decided]) if "kind" in decided else order_view(decided))


def cancel(
    order_id: OrderId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Cancel the undelivered patches of an order. SETTLES the bill for what came and RELEASES the rest.

    The amounts are stated before you confirm.
    """
    with open_client(url, api_key) as client:
        order_id = full_id(client, "order", order_id)
        if not yes:
            foreseen = plainly(client.get(path_to("orders", order_id, "cancel"))["detail"])
            typer.confirm(f"{foreseen} Cancel?", abort=True, err=True)
        cancelled = client.post(path_to("orders", order_id, "cancel"))
    if as_json:
        print_json(cancelled)
    else:
        console().print(order_view(cancelled))


def deadline(
    order_id: OrderId,
    last_day: Annotated[
        str, typer.Argument(metavar="DAY", help="Last day (UTC) for its patches, such as 2026-12-31.")
    ],
    note: Annotated[str | None, typer.Option(help="Reason; kept in the history of the order.")] = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Put off the deadline of an order, so that it awaits its patches until the end of a later day."""
    body = {"last_day": last_day} | ({"note": note} if note else {})
    with open_client(url, api_key) as client:
        order_id = full_id(client, "order", order_id)
        order = client.post(path_to("orders", order_id, "deadline"), body)
    if as_json:
        print_json(order)
        return
    console().print(order_view(order))
    console().print(f"\nThe order awaits its patches until {order['expires_at'][:16].replace('T', ' ')} UTC.")


def classify(
    order_id: OrderId,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Classify with the patches delivered so far.")
    ] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Classify every tile of an order, beside the label from low resolution only."""
    with open_client(url, api_key) as client, following("Classifying") as seen:
        order_id = full_id(client, "order", order_id)
        labelled = client.run(calls.classify(order_id, seen, allow_partial=allow_partial))
    if as_json:
        print_json(labelled)
        return
    console().print(classification_view(labelled))
