"""Queries of the files that show a part of a patch and are kept until others show the rest."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import and_, exists, func, select, tuple_
from sqlalchemy.dialects.postgresql import aggregate_order_by, distinct_on
from sqlalchemy.orm import Session, aliased

from service.orders.checklist import Place
from service.orders.delivered import digests
from service.orders.tables import DeliveredFile, DeliveredPart, Delivery

MOST_PARTS = 16
"""Parts of a patch that are considered, the newest; a patch at the corner of four files has four."""


class LastFile(NamedTuple):
    """The newest file of a delivered patch, and the digests of the files that it was joined from, if any."""

    sha256: str
    joined_from: tuple[str, ...]
    created_at: datetime


class PartlyDelivered(NamedTuple):
    """A patch of which files show a part: covered share, missing ground (GeoJSON), digests oldest first."""

    tile: int
    patch: int
    covered: float
    remainder: dict[str, Any] | None  # None when the files cover the patch but were not accepted
    files: list[str]


def kept_parts(
    session: Session, order_id: UUID, places: Collection[Place]
) -> dict[Place, list[DeliveredPart]]:
    """Return the newest parts of each of some patches, oldest first."""
    place = DeliveredPart.tile, DeliveredPart.patch
    recent = func.row_number().over(partition_by=place, order_by=DeliveredPart.number.desc()).label("recent")
    ranked = (
        select(*place, DeliveredPart.number, recent)
        .where(
            DeliveredPart.order_id == order_id,
            tuple_(*place).in_(places),
            DeliveredPart.pixels_sha256.is_(None),
        )
        .subquery()
    )
    same = and_(
        DeliveredPart.order_id == order_id,
        DeliveredPart.tile == ranked.c.tile,
        DeliveredPart.patch == ranked.c.patch,
        DeliveredPart.number == ranked.c.number,
    )
    query = select(DeliveredPart).join(ranked, same).where(ranked.c.recent <= MOST_PARTS)
    found: dict[Place, list[DeliveredPart]] = {}
    for part in session.scalars(query.order_by(*place, DeliveredPart.number)):
        found.setdefault((part.tile, part.patch), []).append(part)
    return found


def last_files(session: Session, order_id: UUID, places: Collection[Place]) -> dict[Place, LastFile]:
    """Return the newest file of each of some patches that was delivered."""
    place = DeliveredFile.tile, DeliveredFile.patch
    joined = DeliveredFile.checks["joined_from"]
    query = (
        select(*place, DeliveredFile.sha256, joined, DeliveredFile.created_at)
        .ext(distinct_on(*place))
        .where(DeliveredFile.order_id == order_id, tuple_(*place).in_(places))
        .order_by(*place, DeliveredFile.version.desc())
    )
    return {
        (tile, patch): LastFile(sha256, digests(parts), created_at)
        for tile, patch, sha256, parts, created_at in session.execute(query)
    }


def rows_so_far(session: Session, order_id: UUID) -> tuple[int, int]:
    """Return the numbers of parts and of delivered files of an order, which only grow."""
    parts, files = (
        session.scalar(select(func.count()).select_from(table).where(table.order_id == order_id)) or 0
        for table in (DeliveredPart, DeliveredFile)
    )
    return parts, files


def partly_delivered(session: Session, order_id: UUID, most: int) -> list[PartlyDelivered]:
    """Return up to `most` patches that were not delivered and of which files show a part, in plan order."""
    place = DeliveredPart.tile, DeliveredPart.patch
    each = aliased(DeliveredPart)
    files = (
        select(func.array_agg(aggregate_order_by(each.sha256, each.number)))
        .where(each.order_id == order_id, each.tile == DeliveredPart.tile, each.patch == DeliveredPart.patch)
        .scalar_subquery()
    )
    delivered = exists().where(
        Delivery.order_id == order_id,
        Delivery.tile == DeliveredPart.tile,
        Delivery.patch == DeliveredPart.patch,
    )
    query = (
        select(*place, DeliveredPart.covered, DeliveredPart.remainder, files)
        .ext(distinct_on(*place))
        .where(DeliveredPart.order_id == order_id, ~delivered, DeliveredPart.pixels_sha256.is_(None))
        .order_by(*place, DeliveredPart.number.desc())
        .limit(most)
    )
    return [
        PartlyDelivered(tile, patch, covered, remainder, list(dict.fromkeys(digests)))
        for tile, patch, covered, remainder, digests in session.execute(query)
    ]
