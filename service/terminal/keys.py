"""API keys, people, workspaces, lent approval and the audit log for a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import RenderableType

from service.terminal.tables import columns, facts


def moment(at: datetime | None) -> str:
    """Write a time to the minute (UTC), or a dash."""
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M}"


def key_view(me: Mapping[str, Any]) -> RenderableType:
    """Return the table of `loupe me` from a document of GET /v1/me."""
    key = me["key"]
    expires = key.get("expires_at")
    return facts(
        [
            ("Workspace", me["workspace"]["name"]),
            ("Key", f"{key['id']} ({key['name']})"),
            ("Holder", key["holder"]),
            ("Role", key["role"]),
            ("May", ", ".join(me["rights"])),
            ("Expires", moment(datetime.fromisoformat(expires)) if expires else "never"),
        ]
    )


KEY = ("id", "name", "role", "holder", "created_at", "last_used_at", "expires_at", "revoked_at")
"""Members of a key as JSON, named as in `GET /v1/keys`."""
PERSON = ("holder", "name", "role", "issuer", "subject", "created_at", "last_used_at", "revoked_at")
WORKSPACE = ("id", "name", "created_at")


def as_document(row: Any, members: Sequence[str]) -> dict[str, Any]:
    """Return members of a row as JSON values; times are RFC 3339."""
    values = {name: getattr(row, name) for name in members}
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value) if value is not None else None
        for name, value in values.items()
    }


def keys_view(rows: Iterable[Any]) -> RenderableType:
    """Return API keys from their rows, without their secrets."""
    titles = ("ID", "Name", "Role", "Holder", "Created", "Last used", "Expires", "Revoked")
    return columns(
        titles,
        [(row.id, row.name, row.role, row.holder, *map(moment, _times(row, "expires_at"))) for row in rows],
    )


def people_view(rows: Iterable[Any]) -> RenderableType:
    """Return the people of a workspace from their rows."""
    titles = ("ID", "Name", "Role", "Subject", "Since", "Last used", "Removed")
    return columns(
        titles, [(row.holder, row.name, row.role, row.subject, *map(moment, _times(row))) for row in rows]
    )


def workspaces_view(rows: Iterable[tuple[Any, int]]) -> RenderableType:
    """Return workspaces from their rows, each with the number of its keys in use."""
    return columns(
        ("Name", "ID", "Created", "Keys in use"),
        [(row.name, str(row.id), moment(row.created_at), str(in_use)) for row, in_use in rows],
    )


def events_view(events: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return the table of `loupe audit`; the texts of events have no control characters."""
    rows = []
    for one in events:
        more = ", ".join(f"{name} {text}" for name, text in one["detail"].items() if text)
        cells = (one.get("key"), one.get("subject"), one.get("address"), str(one["times"]), more)
        at = datetime.fromisoformat(one["at"])
        rows.append((f"{at:%Y-%m-%d %H:%M:%S}", one["kind"], *(cell or "-" for cell in cells)))
    return columns(("Time", "Event", "Key", "About", "Address", "Times", "More"), rows)


def delegations_view(delegations: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return the table of lent approval."""
    rows = []
    for one in delegations:
        times = (moment(datetime.fromisoformat(one[name])) for name in ("created_at", "ends_at"))
        rows.append((one["id"], one["lender"], one["borrower"], *times, one.get("note") or "-"))
    return columns(("ID", "Lender", "Borrower", "Lent", "Ends", "Note"), rows)


def _times(row: Any, *more: str) -> tuple[datetime | None, ...]:
    return tuple(getattr(row, name) for name in ("created_at", "last_used_at", *more, "revoked_at"))
