"""Patches of an order as rows: their state, files, payment and doubts."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from service.orders.delivered import warnings_of
from service.orders.schemas import OrderOut
from service.orders.tables import OPEN
from service.web.money import MoneyOut

PATCHES = 100
"""Patches on a page of an order."""


@dataclass(frozen=True, kw_only=True)
class BoughtPatchRow:
    """A bought patch."""

    tile: int
    patch: int
    state: str
    version: int | None = None
    files: int = 0
    """Files that show it together; 0 while none does."""
    size: int | None = None
    settled: MoneyOut | None = None
    at: datetime | None = None
    covered: float | None = None
    """Share that the files so far cover, of a patch that is not delivered yet."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PatchWindow:
    """Some rows of a longer list."""

    rows: list[BoughtPatchRow]
    first: int
    """Index of the first row."""
    total: int

    @property
    def following(self) -> int | None:
        """Index of the first row after these; None at the end."""
        return self.first + len(self.rows) if self.first + len(self.rows) < self.total else None


def patch_window(session: Session, order: OrderOut, first: int) -> PatchWindow:
    """Return a window of the patches that an order lists, in plan order."""
    warnings = warnings_of(session, order.id) if order.patches.delivered else {}
    partly = {(one.tile, one.patch): one for one in order.patches.partly}
    rows = [
        BoughtPatchRow(
            tile=one.tile,
            patch=one.patch,
            state="delivered",
            version=one.version,
            files=len(one.files or [one.sha256]),
            size=one.size,
            settled=one.settled,
            at=one.delivered_at,
            warnings=tuple(warnings.get((one.tile, one.patch), ())),
        )
        for one in order.patches.delivered
    ]
    rows += [
        BoughtPatchRow(tile=tile, patch=patch, state="partly", files=len(one.files), covered=one.covered)
        for (tile, patch), one in partly.items()
    ]
    if order.status in OPEN:
        awaited = ((one.tile, one.patch) for one in order.patches.awaited)
        rows += [
            BoughtPatchRow(tile=tile, patch=patch, state="awaited")
            for tile, patch in awaited
            if (tile, patch) not in partly
        ]
    rows.sort(key=lambda row: (row.tile, row.patch))
    return PatchWindow(rows=rows[first : first + PATCHES], first=first, total=len(rows))
