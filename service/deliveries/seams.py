"""Patches at the seams of files: the parts of one upload joined with those that earlier uploads left.

The parts are read in short sessions, joined outside of them, and stored with the rest of the upload in one
transaction. If another upload of the order was stored in between, they are read and joined once more, so that
two uploads that each show a half deliver the patch whichever comes first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import numpy as np
from sqlalchemy import func
from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.blobs import put
from service.database.engine import Database
from service.deliveries.collecting import Collected
from service.deliveries.decoding import CutPatch, Target
from service.deliveries.joining import FilePart, PartlyCovered, join_patch, partly_covered
from service.deliveries.settling import CheckedPatch, check_awaited
from service.errors import LoupeError
from service.imagery.coverage import MIN_COVER
from service.imagery.lattice import LATTICE
from service.imagery.parts import PatchPart
from service.orders.checklist import Checklist, Place
from service.orders.delivered import find_delivery
from service.orders.parts import LastFile, kept_parts, last_files, rows_so_far
from service.orders.tables import DeliveredPart, Order

_BATCH = 128  # patches whose parts are in memory at a time


@dataclass(frozen=True, kw_only=True)
class NewPart:
    """A part to be kept, and what it and the earlier ones cover; `partly` is None when they suffice."""

    place: Place
    number: int
    part: FilePart
    partly: PartlyCovered | None


@dataclass(frozen=True, kw_only=True)
class Joined:
    """The result for each patch of which the upload shows a part. `so_far` is checked before it is stored."""

    so_far: tuple[int, int]
    ready: dict[Place, CheckedPatch] = field(default_factory=dict)
    cuts: dict[Place, CutPatch] = field(default_factory=dict)
    already: dict[Place, str] = field(default_factory=dict)
    refused: dict[Place, LoupeError] = field(default_factory=dict)
    partly: dict[Place, PartlyCovered] = field(default_factory=dict)
    new: list[NewPart] = field(default_factory=list)

    def add_to(self, collected: Collected) -> None:
        """Add the results to those of the patches that single files cover."""
        collected.ready.update(self.ready)
        collected.already.update(self.already)
        # Where another file of the upload was refused, the reason says more than what is missing.
        collected.partly.update({at: one for at, one in self.partly.items() if at not in collected.refused})
        for place in (*self.ready, *self.already):
            collected.refused.pop(place, None)
        collected.refused.update(self.refused)


@dataclass(frozen=True, kw_only=True)
class _Seam:
    """The parts of one patch: of this upload, kept before oldest first, and the file in use if any."""

    place: Place
    own: Sequence[FilePart]
    kept: Sequence[FilePart]
    numbers: int
    last: LastFile | None

    def new_parts(self) -> list[FilePart]:
        """Return the parts that were not kept before; of a delivered patch no mere overlap of a tile."""
        least = 0.0 if self.last is None else 1 - MIN_COVER
        return [
            one
            for one in self.own
            if one.part.covered > least and not any(one.is_same(other) for other in self.kept)
        ]

    def preferred(self, new: Sequence[FilePart]) -> list[FilePart]:
        """Return new and kept parts, the preferred first: the first file of an upload, the newest upload."""
        replaced = {one.sha256 for one in new}
        return [*new, *(one for one in reversed(self.kept) if one.sha256 not in replaced)]


def join_parts_of(
    database: Database,
    folder: Path,
    order_id: UUID,
    target: Target,
    collected: Collected,
    *,
    accept_unlike: bool,
) -> Joined:
    """Join the parts of an upload with those that were kept, and put the joined patches among the blobs."""
    with database.sessions() as session:
        joined = Joined(so_far=rows_so_far(session, order_id))
    for seam in _seams(database, order_id, target, collected):
        _join(joined, target, seam, folder, accept_unlike=accept_unlike)
    return joined


def is_current(session: Session, order: Order, joined: Joined) -> bool:
    """Say under the order's lock whether no other upload was stored since the parts were read."""
    return rows_so_far(session, order.id) == joined.so_far


def store_parts(
    session: Session,
    caller: Caller,
    order: Order,
    checklist: Checklist,
    new: Sequence[NewPart],
    *,
    accept_late: bool,
) -> None:
    """Keep parts under the order's lock. Errors: those of `check_awaited`."""
    for one in new:
        if find_delivery(session, order.id, one.place) is None:
            check_awaited(session, order, checklist, one.place, accept_late=accept_late)
        session.add(
            DeliveredPart(
                order_id=order.id,
                tile=one.place[0],
                patch=one.place[1],
                number=one.number,
                sha256=one.part.sha256,
                size=one.part.size,
                pixels=one.part.part.pixels.tobytes(),
                weights=one.part.part.weights.tobytes(),
                lacking=np.packbits(one.part.part.lacking).tobytes(),
                checks=dict(one.part.checks) | {"repeated_px": one.part.part.repeated_px},
                covered=1.0 if one.partly is None else one.partly.covered,
                remainder=None if one.partly is None else dict(one.partly.remainder),
                key_id=caller.key_id,
                created_at=func.clock_timestamp(),
            )
        )
        session.flush()


def _seams(database: Database, order_id: UUID, target: Target, collected: Collected) -> Iterator[_Seam]:
    """Read batch by batch what was kept of the patches of which the upload shows a part."""
    shown = sorted(collected.parts)
    for start in range(0, len(shown), _BATCH):
        places = shown[start : start + _BATCH]
        with database.sessions() as session:
            rows, last = kept_parts(session, order_id, places), last_files(session, order_id, places)
        for place in places:
            kept = rows.get(place, [])
            yield _Seam(
                place=place,
                own=collected.parts[place],
                kept=_usable(kept, last.get(place), target.size),
                numbers=kept[-1].number if kept else 0,
                last=last.get(place),
            )


def _usable(kept: Sequence[DeliveredPart], last: LastFile | None, size: int) -> list[FilePart]:
    """Return the parts that may be joined with new ones, the newest of each file, oldest first.

    Of a delivered patch these are the parts that it was joined from and those that came later: a patch that
    a single file delivered is not replaced by pieces.
    """
    newest = {one.sha256: one for one in kept if len(one.weights) == size * size}
    return [
        _part_of(one, size)
        for one in newest.values()
        if last is None
        or one.sha256 in last.joined_from
        or (last.joined_from and one.created_at > last.created_at)
    ]


def _part_of(row: DeliveredPart, size: int) -> FilePart:
    lacking = np.unpackbits(np.frombuffer(row.lacking, np.uint8), count=LATTICE * LATTICE)
    part = PatchPart(
        tile=row.tile,
        patch=row.patch,
        pixels=np.frombuffer(row.pixels, np.uint8).reshape(3, size, size),
        weights=np.frombuffer(row.weights, np.uint8).reshape(size, size),
        lacking=lacking.reshape(LATTICE, LATTICE).astype(np.bool_),
        repeated_px=row.checks["repeated_px"],
    )
    return FilePart(sha256=row.sha256, size=row.size, part=part, checks=row.checks)


def _join(joined: Joined, target: Target, seam: _Seam, folder: Path, *, accept_unlike: bool) -> None:
    """Add the result for one patch."""
    place, new = seam.place, seam.new_parts()
    if seam.last is not None and not new:
        if any(one.sha256 in seam.last.joined_from for one in seam.own):
            joined.already[place] = seam.last.sha256
        return
    parts = seam.preferred(new)
    partly = partly_covered(target, place, parts)
    if seam.last is not None and not seam.last.joined_from and partly is not None:
        return
    joined.new.extend(
        NewPart(place=place, number=seam.numbers + at, part=one, partly=partly)
        for at, one in enumerate(new, start=1)
    )
    if partly is None:
        _accept(joined, target, place, parts, folder, accept_unlike=accept_unlike)
    elif seam.last is None:
        joined.partly[place] = partly


def _accept(
    joined: Joined,
    target: Target,
    place: Place,
    parts: Sequence[FilePart],
    folder: Path,
    *,
    accept_unlike: bool,
) -> None:
    """Join parts that cover a patch; a refusal is its result."""
    try:
        found = join_patch(target, place, parts, accept_unlike=accept_unlike)
    except LoupeError as error:
        if error.status >= 500:
            raise
        joined.refused[place] = error.without_frames()
        return
    put(folder, found.body)  # on disk before the row that names it
    joined.ready[place] = found.patch
    joined.cuts[place] = found.cut
