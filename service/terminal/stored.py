"""View of the stored files of each workspace."""

from collections.abc import Iterable
from typing import Any

from rich.console import RenderableType

from service.terminal.tables import columns


def stocks_view(stocks: Iterable[Any]) -> RenderableType:
    """Return the number and size of the files of each workspace, and of those without a row."""
    titles = ("Workspace", "Files", "Bytes", "Without a row", "Bytes without a row")
    rows = [
        (one.name, f"{one.files:,}", f"{one.size:,}", f"{one.orphans:,}", f"{one.orphans_size:,}")
        for one in stocks
        if one.files or one.workspace_id is not None
    ]
    return columns(titles, rows, right=titles[1:])
