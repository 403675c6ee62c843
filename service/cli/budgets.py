"""`loupe budget` and `loupe savings`: set limits on spending, and report what was saved."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from loupe import Client
from loupe.answers.base import Json
from loupe.paths import path_to
from service.cli.connection import (
    DEFAULT_URL,
    ApiKey,
    AsJson,
    Commands,
    Url,
    UsageError,
    console,
    open_client,
    print_json,
)
from service.cli.short_ids import full_id, full_id_unless_name
from service.terminal.blocks import money
from service.terminal.ledger import budgets_view, terms_view
from service.terminal.proposals import proposals_view, waiting_lines

budget_commands = typer.Typer(cls=Commands, no_args_is_help=True, help="Create, change and list budgets.")

Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help='Amount of money, such as "500.00".')]
Name = Annotated[
    str, typer.Argument(metavar="BUDGET", help="Name or id of the budget, or the id's beginning.")
]
Period = Annotated[
    str | None, typer.Option(help="Renew the limit every month, quarter or year, or never (none).")
]
StartsOn = Annotated[str | None, typer.Option(help="First day of validity, such as 2026-01-01.")]
EndsOn = Annotated[str | None, typer.Option(help="Last day of validity, such as 2026-12-31.")]
Enforcement = Annotated[
    str | None,
    typer.Option(
        help="An order beyond the limit: block it (the default), warn about it, or accept it (off)."
    ),
]
Threshold = Annotated[
    list[int] | None,
    typer.Option(help="Warn when this percentage of the limit is in use. Repeat for several."),
]
Tag = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="Label the budget. Repeat for several.")
]
ApprovalAbove = Annotated[
    str | None,
    typer.Option(
        metavar="AMOUNT",
        help="What one holder orders and charges above this amount within 24 hours needs a second key, as do "
        "changes of the budget that give more freedom.",
    ),
]


@budget_commands.command("create")
def create_budget(  # noqa: PLR0913  (a command's parameters are its options)
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new budget.")],
    amount: Amount,
    currency: Annotated[str, typer.Argument(metavar="CURRENCY", help="ISO 4217 code, such as USD.")],
    period: Period = None,
    starts_on: StartsOn = None,
    ends_on: EndsOn = None,
    enforcement: Enforcement = None,
    threshold: Threshold = None,
    tag: Tag = None,
    approval_above: ApprovalAbove = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Create a budget. Its limit is the most that its orders may hold and spend."""
    code = currency.upper()
    terms = _terms(
        period=period, starts_on=starts_on, ends_on=ends_on, enforcement=enforcement,
        thresholds=threshold, tags=tags_of(tag), approval_above=_amount(approval_above, code),
    )  # fmt: skip
    with open_client(url, api_key) as client:
        made = client.post("/v1/budgets", {"name": name, "limit": _amount(amount, code), **terms})
    if as_json:
        print_json(made)
        return
    console().print(f'Created budget "{made["name"]}" of {money(made["limit"])}. Id: {made["id"]}')


@budget_commands.command("limit")
def set_limit(
    name: Name, amount: Amount, as_json: AsJson = False, url: Url = DEFAULT_URL, api_key: ApiKey = None
) -> None:
    """Change the limit of a budget. It cannot go below what is held and spent.

    A higher limit of a budget with --approval-above waits for a second key.
    """
    with open_client(url, api_key) as client:
        found = find_budget(client, name)
        limit = _amount(amount, found["limit"]["currency"])
        changed = _change(client, found, {"limit": limit})
    if as_json:
        print_json(changed)
        return
    if changed["version"] == found["version"] and changed["waiting"]:
        _print_waiting(changed)
        return
    console().print(
        f"The limit is now {money(changed['limit'])}; {money(changed['available'])} is available."
    )


@budget_commands.command("terms")
def set_terms(  # noqa: PLR0913  (a command's parameters are its options)
    name: Name,
    period: Period = None,
    starts_on: StartsOn = None,
    ends_on: EndsOn = None,
    enforcement: Enforcement = None,
    threshold: Threshold = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="Label the budget; NAME= takes the label away. Repeat for several."
        ),
    ] = None,
    approval_above: ApprovalAbove = None,
    no_first_day: Annotated[bool, typer.Option("--no-starts-on", help="Take the first day away.")] = False,
    no_last_day: Annotated[bool, typer.Option("--no-ends-on", help="Take the last day away.")] = False,
    no_approval: Annotated[
        bool, typer.Option("--no-approval", help="Let no order or charge wait for a second key.")
    ] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Change the given terms of a budget and print all its terms. Earlier versions are kept.

    Of a budget with --approval-above, a change that gives more freedom waits for a second key.
    """
    removed = _removed(
        starts_on=(starts_on, no_first_day),
        ends_on=(ends_on, no_last_day),
        approval_above=(approval_above, no_approval),
    )
    with open_client(url, api_key) as client:
        found = find_budget(client, name)
        changes = removed | _terms(
            period=period, starts_on=starts_on, ends_on=ends_on, enforcement=enforcement,
            thresholds=threshold, tags={name: value or None for name, value in tags_of(tag).items()},
            approval_above=_amount(approval_above, found["limit"]["currency"]),
        )  # fmt: skip
        changed = _change(client, found, changes) if changes else found
    if as_json:
        print_json(changed)
        return
    console().print(terms_view(changed))
    _print_waiting(changed)


@budget_commands.command("proposals")
def list_proposals(
    decided: Annotated[bool, typer.Option("--decided", help="List the decided ones instead.")] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """List charges and changes of budgets that wait for a second key. `loupe approve ID` decides."""
    with open_client(url, api_key) as client:
        pages = client.pages("/v1/proposals", limit=100, waiting=not decided)
        found = [one for page in pages for one in page["items"]]
    if as_json:
        print_json(found)
        return
    if found:
        console().print(proposals_view(found))
    else:
        console().print("No proposal is decided yet." if decided else "No proposal waits.")


@budget_commands.command("withdraw")
def withdraw(
    proposal: Annotated[str, typer.Argument(help="Id of a proposal of your own, or its beginning.")],
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Take back a charge or a change of a budget that you proposed and that waits for a second key."""
    with open_client(url, api_key) as client:
        proposal = full_id(client, "proposal", proposal)
        withdrawn = client.post(path_to("proposals", proposal, "withdrawal"))
    if as_json:
        print_json(withdrawn)
    else:
        console().print(proposals_view([withdrawn]))


def _change(client: Client, budget: Json, changes: Json) -> Json:
    """Change a budget with a JSON merge patch, and return it as it is now."""
    changed: Json = client.send("PATCH", path_to("budgets", budget["id"]), json=changes).json()
    return changed


def _print_waiting(budget: Json) -> None:
    shown = budget.get("waiting", [])
    for line in waiting_lines(shown):
        console().print(line)
    if more := budget.get("waiting_number", 0) - len(shown):
        console().print(f"{more} more wait: loupe budget proposals")


def _terms(**given: Any) -> Json:
    """Return the options that were given on the command line."""
    return {name: value for name, value in given.items() if value}


def _removed(**given: tuple[str | None, bool]) -> Json:
    """Return the terms to take away. UsageError for one that is given a value as well."""
    for name, (value, removes) in given.items():
        if value is not None and removes:
            raise UsageError(f"Give --{name.replace('_', '-')} or take it away, not both.")
    return {name: None for name, (_, removes) in given.items() if removes}


def tags_of(pairs: Sequence[str] | None) -> dict[str, str]:
    """Read NAME=VALUE pairs. UsageError when a name or a value is missing."""
    split = [pair.partition("=") for pair in pairs or ()]
    if not all(name and equals for name, equals, _ in split):
        raise UsageError("A tag needs a name and a value: --tag NAME=VALUE.")
    return {name: value for name, _, value in split}


def _amount(amount: str | None, currency: str) -> Json | None:
    return None if amount is None else {"amount": amount, "currency": currency}


@budget_commands.command("list")
def list_budgets(as_json: AsJson = False, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """List the budgets with their limit and what is spent, held by open orders, and available."""
    with open_client(url, api_key) as client:
        found = [
            item | client.get(path_to("budgets", item["id"], "usage")) for item in client.items("/v1/budgets")
        ]
    if as_json:
        print_json(found)
        return
    if not found:
        console().print("There is no budget yet. Create one with `loupe budget create NAME AMOUNT CURRENCY`.")
        return
    console().print(budgets_view(found))


def find_budget(client: Client, name: str) -> Json:
    """Return the budget of this name, this id or a beginning of it. UsageError when none or several match."""
    budgets = list(client.items("/v1/budgets"))
    name = full_id_unless_name(name, "budget", lambda: budgets)
    found = [item for item in budgets if name in (item["id"], item["name"])]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f'{len(found)} budgets are called "{name}". Give the id instead: `loupe budget list` shows it.'
        )
    raise UsageError(f'There is no budget "{name}". `loupe budget list` shows the budgets.')
