"""Ids that are typed only as far as they are unique."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from loupe import Client
from loupe.answers.base import Json
from loupe.paths import is_segment, path_to
from service.cli.connection import UsageError

Kind = Literal["plan", "order", "job", "proposal", "delegation"]
"""A kind of things that have ids; `/v1/<kind>s` lists them."""
LISTED_BY = {
    "plan": "loupe plans list",
    "order": "loupe orders list",
    "job": "loupe jobs list",
    "proposal": "loupe budget proposals",
    "delegation": "loupe delegations list",
}
SEARCHED = ("plan", "order")
"""Kinds whose list takes a text to look for; there are too many of them to read all."""
SHORT = re.compile(r"[0-9a-f]{6}[0-9a-f-]{0,29}")
"""Beginning of an id that is looked up: six digits of 16 million leave few to choose from."""
UNDIVIDED = re.compile(r"[0-9a-f]{32}")
"""Whole id without its hyphens, which the server reads too."""
NAMED = 3
"""Most ids that a message names."""


def full_id(client: Client, kind: Kind, typed: str) -> str:
    """Return the id of the one thing whose id begins with a text; another text comes back as it is.

    UsageError if no id begins so, or several do, and for a text that cannot be an id.
    """
    return full_id_of_any(client, (kind,), typed)


def full_id_of_any(client: Client, kinds: Sequence[Kind], typed: str) -> str:
    """Return the id of the one thing of some kinds, as `full_id` does for one kind."""
    if not is_segment(typed):
        shown = " or ".join(f"`{LISTED_BY[kind]}`" for kind in kinds)
        raise UsageError(f'"{typed}" is no id. {shown} shows ids.')
    beginning = typed.lower()
    if not SHORT.fullmatch(beginning) or UNDIVIDED.fullmatch(beginning):
        return typed
    found = [one for kind in kinds for one in beginning_with(beginning, _listed(client, kind, beginning))]
    return only_one(found, typed, kinds, [LISTED_BY[kind] for kind in kinds])


def _listed(client: Client, kind: Kind, beginning: str) -> Iterable[Json]:
    """Yield what may have an id that begins so; a text that is looked for may stand in other members too."""
    if kind == "delegation":  # its list is one page
        return [dict(one) for one in client.get("/v1/delegations")["items"]]
    return client.items(path_to(f"{kind}s"), **({"q": beginning} if kind in SEARCHED else {}))


def full_id_unless_name(typed: str, kind: str, listed: Callable[[], Iterable[Json]]) -> str:
    """Return the id of the one row whose id begins with a text, unless a row has the text as its name.

    A text that is neither comes back as it is. `listed` reads the rows when they are needed. UsageError if
    several ids begin so.
    """
    if not SHORT.fullmatch(typed.lower()):
        return typed
    rows = list(listed())
    found = beginning_with(typed.lower(), rows)
    if not found or any(row["name"] == typed for row in rows):
        return typed
    return only_one(found, typed, (kind,))


def full_price_list(client: Client, typed: str | None) -> str | None:
    """Return what names a price list to the server: a name, or an id that was typed by its beginning."""
    if typed is None:
        return None
    return full_id_unless_name(typed, "price list", lambda: client.items("/v1/price-lists"))


def full_bundle(client: Client, typed: str | None) -> str | None:
    """Return what names a bundle to the server: a name, or a sha256 that was typed by its beginning."""
    if typed is None:
        return None
    held = ({"name": one["name"], "id": one["sha256"]} for one in client.items("/v1/bundles"))
    return full_id_unless_name(typed, "bundle", lambda: held)


def beginning_with(beginning: str, rows: Iterable[Json]) -> list[str]:
    """Return the ids of rows that begin with a text."""
    found = [str(row["id"]) for row in rows if row["id"].startswith(beginning)]
    return list(dict.fromkeys(found))  # two folders may hold one bundle


def only_one(found: Sequence[str], typed: str, kinds: Sequence[str], lists: Sequence[str] = ()) -> str:
    """Return the only id that was found. UsageError with several, and without one: `lists` show ids."""
    if len(found) == 1:
        return found[0]
    if not found:
        shown = " or ".join(f"`{one}`" for one in lists)
        raise UsageError(f'No {" or ".join(kinds)} has an id that begins with "{typed}". {shown} shows ids.')
    several = " or ".join(f"{kind}s" for kind in kinds)
    raise UsageError(
        "\n".join(
            [
                f'{len(found)} {several} have ids that begin with "{typed}". Type more of one of them:',
                *found[:NAMED],
            ]
        )
    )
