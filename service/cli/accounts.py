"""`loupe budget`, `loupe savings`: the money."""

from typing import Annotated

import typer

from service.cli.connection import DEFAULT_URL, ApiKey, Commands, Url, UsageError, connect, console
from service.client import Client, Json
from service.terminal.blocks import money
from service.terminal.documents import budgets_view, savings_view

budget = typer.Typer(cls=Commands, no_args_is_help=True, help="Create and list budgets.")


@budget.command("create")
def create_budget(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it.")],
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help='How much, such as "500.00".')],
    currency: Annotated[str, typer.Argument(metavar="CURRENCY", help="ISO 4217 code, such as USD.")],
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Create a budget: the most that orders drawing on it may hold and spend."""
    with connect(url, api_key) as client:
        made = client.create_budget(name, amount, currency.upper())
    console().print(f'Budget "{made["name"]}" of {money(made["limit"])}: {made["id"]}')


@budget.command("list")
def list_budgets(url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """List budgets: limit, spent, held by open orders, available."""
    with connect(url, api_key) as client:
        found = [item | client.get(f"/v1/budgets/{item['id']}/usage") for item in client.items("/v1/budgets")]
    if not found:
        console().print("No budget yet. Create one: loupe budget create NAME AMOUNT CURRENCY")
        return
    console().print(budgets_view(found))


def find_budget(client: Client, name: str) -> Json:
    """The budget of this name or id. UsageError when there is none, or more than one of the name."""
    budgets = client.items("/v1/budgets")
    found = [item for item in budgets if name in (item["id"], item["name"])]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f'{len(found)} budgets are called "{name}"; give the id: loupe budget list')
    raise UsageError(f'There is no budget "{name}". List them: loupe budget list')


def savings(url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Show what was saved: three figures, each with the baseline it is measured against."""
    with connect(url, api_key) as client:
        report = client.get("/v1/reports/savings")
    console().print(savings_view(report))
