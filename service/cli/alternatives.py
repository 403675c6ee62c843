"""`loupe alternatives` and `loupe curve`: other ways to spend the money of a plan, and more or less of it."""

from typing import Annotated

import typer

from loupe.paths import path_to
from service.cli.connection import DEFAULT_URL, ApiKey, AsJson, Url, console, open_client, print_json
from service.cli.short_ids import full_id
from service.terminal.alternatives import alternatives_view
from service.terminal.counts import curve_view


def alternatives(
    document_id: Annotated[
        str,
        typer.Argument(metavar="PLAN", help="Id of the plan, with --order of an order, or its beginning."),
    ],
    order: Annotated[
        bool, typer.Option("--order", help="Compare what an order bought, by what was paid for it.")
    ] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Compare a plan with buying nothing, central, random or all patches, and with other price lists."""
    compared = ("reports", "savings", "orders") if order else ("plans",)
    with open_client(url, api_key) as client, console(stderr=True).status("Pricing the alternatives"):
        document_id = full_id(client, "order" if order else "plan", document_id)
        found = client.get(path_to(*compared, document_id, "alternatives"))
    if as_json:
        print_json(found)
        return
    console().print(alternatives_view(found))


def curve(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN", help="Id of the plan, or its beginning.")],
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Show the cost of buying more or less of a planned scene, and what that is expected to bring."""
    with open_client(url, api_key) as client:
        plan_id = full_id(client, "plan", plan_id)
        planned = client.get(path_to("plans", plan_id))
        points = client.get(path_to("plans", plan_id, "curve"))
    if as_json:
        print_json(points)
        return
    console().print(curve_view(points, planned))
