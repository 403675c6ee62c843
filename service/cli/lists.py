"""`loupe plans` and `loupe orders`: list, show and wait for what is stored."""

import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from loupe import Client
from loupe.answers.base import Json
from loupe.options import OrderFilters, PlanFilters, to_wire
from loupe.paths import path_to
from service.cli.budgets import find_budget
from service.cli.connection import (
    DEFAULT_URL,
    ApiKey,
    AsJson,
    Commands,
    ExitCode,
    Url,
    UsageError,
    console,
    open_client,
    print_json,
)
from service.cli.filters import (
    First,
    Last,
    Limit,
    OfExternalId,
    OfName,
    OfProvider,
    OfStatus,
    OfTag,
    Search,
    Sort,
    SortChoice,
    StatusChoice,
)
from service.cli.operating import expire_overdue_orders
from service.cli.orders import OrderId
from service.cli.plan_options import TaskChoice
from service.cli.short_ids import full_id, full_price_list
from service.terminal.documents import order_view, plan_view
from service.terminal.lists import awaited_view, orders_view, plans_view

plan_commands = typer.Typer(cls=Commands, no_args_is_help=True, help="List plans, and show one again.")
order_commands = typer.Typer(
    cls=Commands, no_args_is_help=True, help="List orders, show one, and wait for its patches."
)
order_commands.command("expire")(expire_overdue_orders)
OPEN = (StatusChoice.HELD, StatusChoice.ACCEPTED, StatusChoice.PROCESSING)
"""Statuses of an order that still awaits something."""
LOOK_S = 2.0
"""Seconds between two looks at an order."""
PAGE = 100
"""Most rows that one request asks for."""


@plan_commands.command("list")
def list_plans(  # noqa: PLR0913  (a command's parameters are its options)
    limit: Limit = 20,
    task: Annotated[TaskChoice | None, typer.Option(help="Only plans with this purpose.")] = None,
    price_list: Annotated[
        str | None, typer.Option(help="Only plans with this price list, by name, id or its beginning.")
    ] = None,
    provider: OfProvider = None,
    bundle: Annotated[str | None, typer.Option(help="Only plans made with the bundle of this name.")] = None,
    scene: Annotated[
        str | None, typer.Option(metavar="SHA256", help="Only plans of the file with this SHA-256.")
    ] = None,
    follows: Annotated[
        str | None,
        typer.Option(
            metavar="ORDER", help="Only later rounds planned after the order of this id, or its beginning."
        ),
    ] = None,
    superseded: Annotated[
        bool | None,
        typer.Option(
            "--superseded/--no-superseded", help="Only plans that a newer plan replaces, or only the others."
        ),
    ] = None,
    name: OfName = None,
    external_id: OfExternalId = None,
    tag: OfTag = None,
    first: First = None,
    last: Last = None,
    search: Search = None,
    sort: Sort = SortChoice.NEWEST,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """List plans, newest first, with what they buy, cost and save. A plan has to meet all given filters.

    For example: `loupe plans list --provider "Acme Imagery" --from 2026-10-01 --no-superseded`.
    """
    with open_client(url, api_key) as client:
        chosen: PlanFilters = {
            "task": task,
            "price_list": full_price_list(client, price_list),
            "provider": provider,
            "bundle": bundle,
            "scene": scene,
            "follows": None if follows is None else full_id(client, "order", follows),
            "superseded": superseded,
            "name": name,
            "external_id": external_id,
            "tag": tag,
            "first_day": first,
            "last_day": last,
            "search": search,
        }
        filters = to_wire(chosen)
        found = first_items(client, "/v1/plans", limit, sort=sort.value, **filters)
    none = "No plan is like that." if filters else "There is no plan yet. Make one: loupe plan FILE"
    _show_rows(found, plans_view, none, as_json=as_json)


@plan_commands.command("show")
def show_plan(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN", help="Id of the plan, or its beginning.")],
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Show a plan as `loupe plan` showed it."""
    with open_client(url, api_key) as client:
        plan_id = full_id(client, "plan", plan_id)
        found = client.get(path_to("plans", plan_id))
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
    status: OfStatus = None,
    budget: Annotated[
        str | None, typer.Option(help="Only orders that this budget pays, by name, id or its beginning.")
    ] = None,
    plan: Annotated[
        str | None, typer.Option(metavar="PLAN", help="Only orders of this plan, by id or its beginning.")
    ] = None,
    provider: OfProvider = None,
    cost_center: Annotated[str | None, typer.Option(help="Only orders of this cost centre.")] = None,
    name: OfName = None,
    external_id: OfExternalId = None,
    tag: OfTag = None,
    first: First = None,
    last: Last = None,
    search: Search = None,
    sort: Sort = SortChoice.NEWEST,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """List orders, newest first, with their status, patches, money and deadline.

    An order has to meet all given filters. A tag is that of the order, or else of its budget.
    For example: `loupe orders list --status accepted --status processing --tag team=north`.
    """
    if only_open and status:
        raise UsageError("Give either --open or --status.")
    with open_client(url, api_key) as client:
        chosen: OrderFilters = {
            "status": [one.value for one in OPEN if only_open] or [one.value for one in status or ()] or None,
            "budget": None if budget is None else str(find_budget(client, budget)["id"]),
            "plan": None if plan is None else full_id(client, "plan", plan),
            "provider": provider,
            "cost_center": cost_center,
            "name": name,
            "external_id": external_id,
            "tag": tag,
            "first_day": first,
            "last_day": last,
            "search": search,
        }
        filters = to_wire(chosen)
        found = first_items(client, "/v1/orders", limit, sort=sort.value, **filters)
    _show_rows(found, orders_view, _no_order(filters, only_open=only_open), as_json=as_json)


def _show_rows(
    found: list[Json], view: Callable[[list[Json]], RenderableType], none: str, *, as_json: bool
) -> None:
    """Print the rows of a list as a table or as JSON, or say in a sentence that there are none."""
    if as_json:
        print_json(found)
    else:
        console().print(view(found) if found else none)


def _no_order(filters: Json, *, only_open: bool) -> str:
    if only_open and len(filters) == 1:
        return "No order is open."
    return "No order is like that." if filters else "There is no order yet. Place one: loupe order PLAN"


@order_commands.command("show")
def show_order(
    order_id: OrderId, as_json: AsJson = False, url: Url = DEFAULT_URL, api_key: ApiKey = None
) -> None:
    """Show an order: its status, money, history, and the patches that it awaits."""
    with open_client(url, api_key) as client:
        order_id = full_id(client, "order", order_id)
        found = client.get(path_to("orders", order_id))
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
        order_id = full_id(client, "order", order_id)
        while (found := client.get(path_to("orders", order_id)))["status"] in OPEN:
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


def first_items(client: Client, path: str, limit: int, **query: Any) -> list[Json]:
    """Return the first items of a list, at most `limit`."""
    found: list[Json] = []
    for page in client.pages(path, limit=min(limit, PAGE), **query):
        found += page["items"]
        if len(found) >= limit:
            break
    return found[:limit]
