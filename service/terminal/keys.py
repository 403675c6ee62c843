"""API keys, lent approval and the audit log for a terminal."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table


def moment(at: datetime | None) -> str:
    """Write a time to the minute (UTC), or a dash."""
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M}"


def key_view(me: Mapping[str, Any]) -> Table:
    """Return the table of `loupe me` from a document of GET /v1/me."""
    key, table = me["key"], Table.grid(padding=(0, 2))
    expires = key.get("expires_at")
    for name, value in {
        "Workspace": me["workspace"]["name"],
        "Key": f"{key['id']} ({key['name']})",
        "Holder": key["holder"],
        "Role": key["role"],
        "May": ", ".join(me["rights"]),
        "Expires": moment(datetime.fromisoformat(expires)) if expires else "never",
    }.items():
        table.add_row(name, value)
    return table


def events_view(events: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of `loupe audit`; the texts of events have no control characters."""
    table = Table("Time", "Event", "Key", "About", "Address", "Times", "More", box=None)
    for one in events:
        more = ", ".join(f"{name} {text}" for name, text in one["detail"].items() if text)
        cells = (one.get("key"), one.get("subject"), one.get("address"), str(one["times"]), more)
        at = datetime.fromisoformat(one["at"])
        table.add_row(f"{at:%Y-%m-%d %H:%M:%S}", one["kind"], *(cell or "-" for cell in cells))
    return table


def delegations_view(delegations: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of lent approval."""
    table = Table("ID", "Lender", "Borrower", "Lent", "Ends", "Note", box=None)
    for one in delegations:
        times = (moment(datetime.fromisoformat(one[name])) for name in ("created_at", "ends_at"))
        table.add_row(one["id"], one["lender"], one["borrower"], *times, one.get("note") or "-")
    return table
