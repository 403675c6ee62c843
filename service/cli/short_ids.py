"""Ids of plans and orders that are typed only as far as they are unique."""

import re
from typing import Literal

from loupe import Client
from service.cli.connection import UsageError

Kind = Literal["plan", "order"]
SHORT = re.compile(r"[0-9a-f]{6}[0-9a-f-]{0,29}")
"""Beginning of an id that is looked up: six digits of 16 million leave few to choose from."""
NAMED = 3
"""Most ids that a message names."""


def full_id(client: Client, kind: Kind, typed: str) -> str:
    """Return the id of the plan or order whose id begins with a text; another text comes back as it is.

    UsageError if no id begins so, or several do.
    """
    beginning = typed.lower()
    if not SHORT.fullmatch(beginning):
        return typed
    rows = client.items(f"/v1/{kind}s", q=beginning)  # the text may stand in other members too
    found = [str(row["id"]) for row in rows if row["id"].startswith(beginning)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f'No {kind} has an id that begins with "{typed}". `loupe {kind}s list` shows ids.')
    raise UsageError(
        "\n".join(
            [
                f'{len(found)} {kind}s have ids that begin with "{typed}". Type more of one of them:',
                *found[:NAMED],
            ]
        )
    )
