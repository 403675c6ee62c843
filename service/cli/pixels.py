"""`loupe pixels`: delete pixels, and set for how many days they are kept. `loupe blobs`: the stored files."""

from typing import Annotated

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
from service.cli.operating import opened_database, read_settings
from service.cli.short_ids import full_id
from service.terminal.blocks import plural
from service.terminal.stored import stock_document, stocks_view

# The server code takes seconds to import, so `blobs` imports what it needs.
# ruff: noqa: PLC0415

pixel_commands = typer.Typer(
    cls=Commands, no_args_is_help=True, help="Delete pixels, and set for how many days they are kept."
)
Days = Annotated[
    str | None,
    typer.Option(metavar="DAYS", help="Number of days, or `unlimited`. Default: unchanged."),
]


@pixel_commands.command("delete")
def delete_pixels(
    plan: Annotated[
        str | None, typer.Option(help="Id of a plan, or its beginning: the pixels of its scene are deleted.")
    ] = None,
    order: Annotated[
        str | None, typer.Option(help="Id of an order, or its beginning: what was delivered for it.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """DELETE the pixels of a plan's scene or of an order's deliveries for good. Asks for confirmation.

    Plans, prices, digests and the ledger stay as they are. It needs an admin key.
    """
    if (plan is None) == (order is None):
        raise UsageError("Give either --plan PLAN or --order ORDER.")
    with open_client(url, api_key) as client:
        what, path = _owner(client, plan, order)
        client.get(path)  # before the question: a wrong id is refused at once
        if not yes:
            typer.confirm(f"Delete the pixels of {what}? They cannot be brought back.", abort=True, err=True)
        deleted: Json = client.send("DELETE", f"{path}/pixels").json()
    if as_json:
        print_json(deleted)
        return
    when = deleted["deleted_at"][:16].replace("T", " ")
    console().print(f"Deleted since {when} UTC: the pixels of {what}.")
    console().print(f"{plural(len(deleted['files']), 'file')}, {deleted['freed_bytes']:,} bytes freed now.")


def _owner(client: Client, plan: str | None, order: str | None) -> tuple[str, str]:
    """Return in words whose pixels are meant, and the path of that plan or order."""
    if plan is not None:
        plan = full_id(client, "plan", plan)
        return f"the scene of plan {plan}", path_to("plans", plan)
    order = full_id(client, "order", order or "")
    return f"what was delivered for order {order}", path_to("orders", order)


@pixel_commands.command("retention")
def retention(
    scenes: Days = None,
    deliveries: Days = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Show for how many days the workspace keeps pixels, or set it with --scenes and --deliveries.

    Older pixels are then DELETED by the server, each deletion with a line in the audit log.
    """
    with open_client(url, api_key) as client:
        days = client.get("/v1/retention")
        wanted = {"scene_days": _days(scenes, days["scene_days"])}
        wanted |= {"delivery_days": _days(deliveries, days["delivery_days"])}
        if wanted != days:
            days = client.send("PUT", "/v1/retention", json=wanted).json()
    if as_json:
        print_json(days)
        return
    console().print(f"Scenes: {_kept(days['scene_days'], 'after they were last planned')}.")
    console().print(f"Deliveries: {_kept(days['delivery_days'], 'after the last file of their order came')}.")


def blobs(
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Also REMOVE files without a row, as a running server does.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the stored files of each workspace, and those without a row. Run it on the server's machine."""
    from service.retention import sweeping

    settings = read_settings()
    with opened_database() as database:
        found = sweeping.stocks(database, settings.blobs)
        freed = sweeping.sweep(database, settings.blobs, settings.orphan_hours * 3600) if sweep else None
    if as_json:
        print_json({"workspaces": [stock_document(one) for one in found], "freed_bytes": freed})
        return
    console().print(stocks_view(found))
    orphans, hours = sum(one.orphans for one in found), f"{settings.orphan_hours:g} hours"
    if freed is None:
        console().print(
            f"{plural(orphans, 'file')} without a row. The server removes each {hours} after it was stored. "
            "To look for them now: loupe blobs --sweep"
        )
    else:
        console().print(
            f"Removed {freed:,} bytes: files without a row that were stored more than {hours} ago."
        )


def _days(given: str | None, now: int | None) -> int | None:
    if given is None:
        return now
    if given == "unlimited":
        return None
    if not given.isascii() or not given.isdigit():
        raise UsageError(f'"{given}" is no number of days. Give a number such as 90, or `unlimited`.')
    return int(given)


def _kept(days: int | None, after: str) -> str:
    return "kept until somebody deletes them" if days is None else f"deleted {plural(days, 'day')} {after}"
