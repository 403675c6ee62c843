"""Terminal views of what waits for a second key."""

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType

from loupe.answers.base import Json
from service.terminal.blocks import money
from service.terminal.tables import columns


def proposals_view(proposals: Sequence[Json]) -> RenderableType:
    """Return proposals with what they would change."""
    rows = [
        (one["at"][:19].replace("T", " "), _effect(one), one["by"], one["status"], one["id"])
        for one in proposals
    ]
    return columns(("When (UTC)", "Proposal", "By key", "Status", "Id"), rows)


def waiting_lines(proposals: Sequence[Json]) -> list[str]:
    """Return a line for each proposal that says what waits and how to approve it."""
    return [
        f"Waits for approval by a second key: {_effect(one)}.\nTo approve it: loupe approve {one['id']}"
        for one in proposals
    ]


def _effect(proposal: Json) -> str:
    if proposal["kind"] == "charge":
        return f"charge {money(proposal['amount'])} to order {proposal['order']}: {proposal['reason']}"
    return ", ".join(f"{name} {_value(value)}" for name, value in proposal["changes"].items())


def _value(value: Any) -> str:
    if isinstance(value, dict) and "amount" in value:
        return money(value)
    if isinstance(value, dict):
        value = [f"{name}={one}" for name, one in value.items()]
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return str(value or "none")
