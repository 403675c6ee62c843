"""Names, tags and external ids on the command line: of new plans and orders, in lists, and changed later."""

from collections.abc import Sequence
from typing import Annotated

import typer

from loupe.answers.base import Json
from loupe.paths import path_to
from service.cli.budgets import tags_of
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
from service.cli.orders import OrderId
from service.cli.short_ids import Kind, full_id

Name = Annotated[str | None, typer.Option(metavar="TEXT", help="Name for people.")]
ExternalId = Annotated[str | None, typer.Option(metavar="TEXT", help="Id in a system of yours.")]
PlanTag = Annotated[
    list[str] | None,
    typer.Option(
        "--tag", metavar="NAME=VALUE", help="Tag of the plan, which its orders get. Repeat for several."
    ),
]
NewName = Annotated[str | None, typer.Option("--name", help='New name for people; "" removes it.')]
NewExternalId = Annotated[
    str | None, typer.Option("--external-id", help='New id in a system of yours; "" removes it.')
]


def edit_plan(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN", help="Id of the plan, or its beginning.")],
    name: NewName = None,
    external_id: NewExternalId = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Tag to set; NAME= removes one. Repeat for several."),
    ] = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Change the name, the external id and the tags of a plan. Nothing else of a plan ever changes."""
    changes = _changes(name, external_id)
    if tag:
        changes["tags"] = {label: value or None for label, value in tags_of(tag).items()}
    _edit("plan", plan_id, changes, url, api_key, as_json=as_json)


def edit_order(
    order_id: OrderId,
    name: NewName = None,
    external_id: NewExternalId = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Change the name and the external id of an order. Its tags stay: the ledger's proofs rest on them."""
    _edit("order", order_id, _changes(name, external_id), url, api_key, as_json=as_json)


def _changes(name: str | None, external_id: str | None) -> Json:
    given = {"name": name, "external_id": external_id}
    return {member: text or None for member, text in given.items() if text is not None}


def _edit(kind: Kind, typed: str, changes: Json, url: str, api_key: str | None, *, as_json: bool) -> None:
    if not changes:
        raise UsageError("There is nothing to change. Give --name, --external-id or, for a plan, --tag.")
    with open_client(url, api_key) as client:
        path = path_to(f"{kind}s", full_id(client, kind, typed))
        found: Json = client.send("PATCH", path, json=changes).json()
    if as_json:
        print_json(found)
        return
    console().print(named_line(found) or "It has no name, external id or tag now.")


def named_line(found: Json) -> str:
    """Write the names of a plan or an order in a line: "Harbours, May (GIS-2041), team = north"."""
    given: Sequence[str | None] = (
        found.get("name"),
        f"({found['external_id']})" if found.get("external_id") else None,
    )
    tags = [f"{label} = {value}" for label, value in found.get("tags", {}).items()]
    return ", ".join([*filter(None, [" ".join(filter(None, given))]), *tags])
