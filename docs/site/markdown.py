"""Markdown made from text that was written for other places: cells, tables, anchors."""

import re
from collections.abc import Iterable, Sequence

LITERAL = re.compile(r"(`[^`]*`)")


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with its cells as they are, or an empty text without rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    rule = "|" + "---|" * len(titles)
    return "\n".join([f"| {' | '.join(titles)} |", rule, *lines, ""]) if lines else ""


def prose(text: str | None) -> str:
    """Return plain text as Markdown: what stands between backticks stays, the rest is escaped."""
    parts = LITERAL.split(text or "")
    return "".join(
        part if part.startswith("`") else re.sub(r"([<>\[\]*_\\])", r"\\\1", part) for part in parts
    )


def cell(text: str | None) -> str:
    """Return plain text for a table's cell: on one line, with its bars escaped."""
    return re.sub(r"\s+", " ", prose(text)).strip().replace("|", "&#124;")


def code(text: str) -> str:
    """Return text as code for a table's cell. A bar becomes an entity, which no table ends at."""
    html = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "&#124;")
    return f"<code>{html}</code>" if text else ""


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as repository hosts and this site make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
