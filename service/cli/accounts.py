"""`loupe budget`, `loupe savings`: the money."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from service.cli.connection import DEFAULT_URL, ApiKey, Commands, Url, UsageError, connect, console
from service.client import Client, Json
from service.terminal.blocks import money
from service.terminal.documents import budgets_view, order_savings_view, savings_view, terms_view

budget = typer.Typer(cls=Commands, no_args_is_help=True, help="Create, change and list budgets.")

Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help='How much, such as "500.00".')]
Name = Annotated[str, typer.Argument(metavar="BUDGET", help="Name or id of the budget.")]
Period = Annotated[
    str | None, typer.Option(help="Grant the limit anew every month, quarter or year; or none.")
]
StartsOn = Annotated[str | None, typer.Option(help="First day on which it pays, such as 2026-01-01.")]
EndsOn = Annotated[str | None, typer.Option(help="Last day on which it pays.")]
Enforcement = Annotated[str | None, typer.Option(help="Beyond the limit: block (the default), warn, or off.")]
Threshold = Annotated[
    list[int] | None, typer.Option(help="Percent of the limit to be told of; may be given again.")
]
Tag = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="May be given again.")]
ApprovalAbove = Annotated[
    str | None, typer.Option(metavar="AMOUNT", help="Orders above it wait for a second key.")
]


@budget.command("create")
def create_budget(  # noqa: PLR0913  (a command's parameters are its options)
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it.")],
    amount: Amount,
    currency: Annotated[str, typer.Argument(metavar="CURRENCY", help="ISO 4217 code, such as USD.")],
    period: Period = None,
    starts_on: StartsOn = None,
    ends_on: EndsOn = None,
    enforcement: Enforcement = None,
    threshold: Threshold = None,
    tag: Tag = None,
    approval_above: ApprovalAbove = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Create a budget: the most that orders drawing on it may hold and spend."""
    code = currency.upper()
    terms = _terms(
        period=period, starts_on=starts_on, ends_on=ends_on, enforcement=enforcement,
        thresholds=threshold, tags=_tags(tag), approval_above=_amount(approval_above, code),
    )  # fmt: skip
    with connect(url, api_key) as client:
        made = client.create_budget(name, amount, code, terms)
    console().print(f'Budget "{made["name"]}" of {money(made["limit"])}: {made["id"]}')


@budget.command("limit")
def set_limit(name: Name, amount: Amount, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Raise or lower a budget's limit, never below what is held and spent."""
    with connect(url, api_key) as client:
        found = find_budget(client, name)
        limit = _amount(amount, found["limit"]["currency"])
        changed = client.change_budget(found["id"], {"limit": limit})
    console().print(f"Limit {money(changed['limit'])}, {money(changed['available'])} of it available.")


@budget.command("terms")
def set_terms(  # noqa: PLR0913  (a command's parameters are its options)
    name: Name,
    period: Period = None,
    starts_on: StartsOn = None,
    ends_on: EndsOn = None,
    enforcement: Enforcement = None,
    threshold: Threshold = None,
    tag: Tag = None,
    approval_above: ApprovalAbove = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Change the terms that are named and print all of them. Earlier terms stay on record."""
    with connect(url, api_key) as client:
        found = find_budget(client, name)
        changes = _terms(
            period=period, starts_on=starts_on, ends_on=ends_on, enforcement=enforcement,
            thresholds=threshold, tags=_tags(tag),
            approval_above=_amount(approval_above, found["limit"]["currency"]),
        )  # fmt: skip
        changed = client.change_budget(found["id"], changes) if changes else found
    console().print(terms_view(changed))


def _terms(**given: Any) -> Json:
    """What was given on the command line."""
    return {name: value for name, value in given.items() if value}


def _tags(pairs: Sequence[str] | None) -> dict[str, str]:
    """Read NAME=VALUE pairs. UsageError for anything else."""
    split = [pair.partition("=") for pair in pairs or ()]
    if not all(name and equals for name, equals, _ in split):
        raise UsageError("A tag is given as NAME=VALUE.")
    return {name: value for name, _, value in split}


def _amount(amount: str | None, currency: str) -> Json | None:
    return None if amount is None else {"amount": amount, "currency": currency}


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


def savings(
    orders: Annotated[
        bool, typer.Option("--orders", help="One line an order, as `loupe trace` takes it.")
    ] = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Show what was saved: three figures, each with the baseline it is measured against."""
    with connect(url, api_key) as client:
        if orders:
            console().print(order_savings_view(client.items("/v1/reports/savings/orders")))
            return
        report = client.get("/v1/reports/savings")
    console().print(savings_view(report))
