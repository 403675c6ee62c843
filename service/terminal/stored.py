"""The stored files of each workspace, for a terminal and as JSON."""

from collections.abc import Iterable
from typing import Any

from rich.console import RenderableType

from loupe.answers.base import Json
from service.terminal.tables import columns


def stock_document(stock: Any) -> Json:
    """Return the files of a workspace as JSON values; the id is null for files of earlier versions."""
    return {
        "id": None if stock.workspace_id is None else str(stock.workspace_id),
        "name": stock.name,
        "files": stock.files,
        "bytes": stock.size,
        "orphans": stock.orphans,
        "orphan_bytes": stock.orphans_size,
    }


def stocks_view(stocks: Iterable[Any]) -> RenderableType:
    """Return the number and size of the files of each workspace, and of those without a row."""
    titles = ("Workspace", "Files", "Bytes", "Without a row", "Bytes without a row")
    rows = [
        (one.name, f"{one.files:,}", f"{one.size:,}", f"{one.orphans:,}", f"{one.orphans_size:,}")
        for one in stocks
        if one.files or one.workspace_id is not None
    ]
    return columns(titles, rows, right=titles[1:])
