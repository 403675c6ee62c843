"""`loupe plans` and `loupe orders`: list, show and wait for what is stored."""

import time
from typing import Annotated

import typer

from loupe import Client
from loupe.answers.base import Json
from service.cli.connection import (
    DEFAULT_URL,
    ApiKey,
    AsJson,
    Commands,
    ExitCode,
    Url,
    console,
    open_client,
    print_json,
)
from service.cli.naming import OfExternalId, OfName, OfTag, Search
from service.cli.operating import expire_overdue_orders
from service.cli.orders import OrderId
from service.terminal.documents import order_view, plan_view
from service.terminal.lists import awaited_view, orders_view, plans_view

plan_commands = typer.Typer(cls=Commands, no_args_is_help=True, help="List plans, and show one again.")
order_commands = typer.Typer(
    cls=Commands, no_args_is_help=True, help="List orders, show one, and wait for its patches."
)
order_commands.command("expire")(expire_overdue_orders)
OPEN = ("held", "accepted", "processing")
"""Statuses of an order that still awaits something."""
LOOK_S = 2.0
"""Seconds between two looks at an order."""
Limit = Annotated[int, typer.Option(help="Number of rows to show, newest first.", min=1)]
PAGE = 100
"""Most rows that one request asks for."""


@plan_commands.command("list")
def list_plans(
    limit: Limit = 20,
    name: OfName = None,
    external_id: OfExternalId = None,
    tag: OfTag = None,
    search: Search = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """List the plans, newest first, with what they buy, cost and save."""
    chosen = {"name": name, "external_id": external_id, "tag": tag, "q": search}
    with open_client(url, api_key) as client:
        found = newest(client, "/v1/plans", limit, None, **chosen)
    if as_json:
        print_json(found)
        return
    if any(chosen.values()):
        nothing = "No plan is like that."
    else:
        nothing = "There is no plan yet. Make one: loupe plan FILE"
    console().print(plans_view(found) if found else nothing)


@plan_commands.command("show")
def show_plan(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN", help="Id of the plan.")],
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Show a plan as `loupe plan` showed it."""
    with open_client(url, api_key) as client:
        found = client.get(f"/v1/plans/{plan_id}")
    if as_json:
        print_json(found)
        return
    console().print(plan_view(found))


@order_commands.command("list")
def list_orders(  # noqa: PLR0913  (a command's parameters are its options)
    only_open: Annotated[
        bool, typer.Option("--open", help="Only orders that await approval or patches.")
    ] = False,
    limit: Limit = 20,
    name: OfName = None,
    external_id: OfExternalId = None,
    tag: OfTag = None,
    search: Search = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """List the orders, newest first, with their status, patches, money and deadline."""
    chosen = {"name": name, "external_id": external_id, "tag": tag, "q": search}
    with open_client(url, api_key) as client:
        found = newest(client, "/v1/orders", limit, OPEN if only_open else None, **chosen)
    if as_json:
        print_json(found)
        return
    if any(chosen.values()):
        nothing = "No order is like that."
    else:
        nothing = "No order is open." if only_open else "There is no order yet. Place one: loupe order PLAN"
    console().print(orders_view(found) if found else nothing)


@order_commands.command("show")
def show_order(
    order_id: OrderId, as_json: AsJson = False, url: Url = DEFAULT_URL, api_key: ApiKey = None
) -> None:
    """Show an order: its status, money, history, and the patches that it awaits."""
    with open_client(url, api_key) as client:
        found = client.get(f"/v1/orders/{order_id}")
    if as_json:
        print_json(found)
        return
    console().print(order_view(found))
    console().print(awaited_view(found))


@order_commands.command("wait")
def wait_for_order(
    order_id: OrderId,
    timeout: Annotated[float, typer.Option(help="Most minutes to wait.", min=0)] = 60,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Wait until an order awaits nothing more, and show it. The exit code is 5 if it still does."""
    until = time.monotonic() + 60 * timeout
    with open_client(url, api_key) as client, console(stderr=True).status("Waiting") as shown:
        while (found := client.get(f"/v1/orders/{order_id}"))["status"] in OPEN:
            left_s = until - time.monotonic()
            if left_s <= 0:
                break
            shown.update(f"{found['counts']['awaited']:,} of {found['counts']['bought']:,} patches awaited")
            time.sleep(min(LOOK_S, left_s))
    if as_json:
        print_json(found)
    else:
        console().print(order_view(found))
    if found["status"] in OPEN:
        raise typer.Exit(ExitCode.UNAVAILABLE)


def newest(
    client: Client,
    path: str,
    limit: int,
    statuses: tuple[str, ...] | None = None,
    **chosen: str | None,
) -> list[Json]:
    """Return at most `limit` items of a list, newest first; with `statuses`, only those in one of them."""
    found: list[Json] = []
    for page in client.pages(path, limit=min(limit, PAGE) if statuses is None else PAGE, **chosen):
        found += [item for item in page["items"] if statuses is None or item["status"] in statuses]
        if len(found) >= limit:
            break
    return found[:limit]
