"""Views of invoices, and of their differences to the ledger."""

from collections.abc import Sequence

from rich.console import RenderableType

from loupe.answers.base import Json
from service.terminal.blocks import money
from service.terminal.tables import columns
from service.terminal.wording import plainly


def invoices_view(documents: Sequence[Json]) -> RenderableType:
    """Return invoices and credit notes with their amounts."""
    rows = [
        (one["number"], one["kind"], one["date"], one["provider"], money(one["net"]), money(one["tax"]))
        for one in documents
    ]
    return columns(("Number", "Kind", "Date", "Provider", "Net", "Tax"), rows, right={"Net", "Tax"})


def differences_view(differences: Sequence[Json]) -> RenderableType:
    """Return orders and references whose invoices differ from the ledger, with what to do."""
    rows = [
        (one["order"] or one["reference"], one["state"].replace("-", " "), plainly(one["detail"]))
        for one in differences
    ]
    return columns(("Order or reference", "State", "What to do"), rows)
