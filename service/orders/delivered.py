"""Queries of what was delivered: the newest file of each patch, its earlier versions, and its pixels."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, cast, func, select, tuple_
from sqlalchemy.dialects.postgresql import JSONPATH, distinct_on
from sqlalchemy.orm import Session

from service.errors import NotFoundError
from service.money import Money
from service.orders.checklist import Place
from service.orders.tables import DeliveredFile, DeliveredPart, Delivery, Order
from service.plans.pixels import PixelsDeletedError

MOST_COMPARED = 400
"""Patches of an order that tell of its sensors."""
_JOINED_FROM = DeliveredFile.checks["joined_from"]


class Delivered(NamedTuple):
    """A paid patch with its newest file, without the pixels."""

    tile: int
    patch: int
    version: int
    sha256: str
    size: int
    settled: Money
    created_at: datetime
    files: tuple[str, ...] = ()  # digests of the files that it was joined from, if it was


class FileVersion(NamedTuple):
    """One of the files of a patch."""

    version: int
    sha256: str


class PatchPixels(NamedTuple):
    """The newest file of a patch with its pixels, uint8 (3, s, s)."""

    tile: int
    patch: int
    pixels: bytes
    version: int
    sha256: str
    files: tuple[str, ...] = ()  # digests of the files that it was joined from, if it was


def find_delivery(session: Session, order_id: UUID, place: Place) -> Delivery | None:
    """Return the payment of one patch, or None while the patch is awaited."""
    return session.get(Delivery, (order_id, *place))


def find_file(session: Session, order_id: UUID, place: Place, version: int) -> DeliveredFile:
    """Return one version of a patch, with its pixels; it must exist."""
    return session.get_one(DeliveredFile, (order_id, *place, version))


def file_versions(
    session: Session, order_id: UUID, place: Place | None = None
) -> dict[Place, list[FileVersion]]:
    """Return the files of each delivered patch of an order, or of one patch, oldest first."""
    query = select(
        DeliveredFile.tile, DeliveredFile.patch, DeliveredFile.version, DeliveredFile.sha256
    ).where(DeliveredFile.order_id == order_id)
    if place is not None:
        query = query.where(DeliveredFile.tile == place[0], DeliveredFile.patch == place[1])
    found: dict[Place, list[FileVersion]] = {}
    for tile, patch, version, sha256 in session.execute(query.order_by(DeliveredFile.version)):
        found.setdefault((tile, patch), []).append(FileVersion(version, sha256))
    return found


def known_files(session: Session, order_id: UUID) -> set[str]:
    """Return the SHA-256 of every file that was delivered for an order, of whole patches and of parts."""
    whole = select(DeliveredFile.sha256).where(DeliveredFile.order_id == order_id)
    parts = select(DeliveredPart.sha256).where(DeliveredPart.order_id == order_id)
    return set(session.scalars(whole.union(parts)))


def likeness_figures(
    session: Session, order_id: UUID, most: int = MOST_COMPARED
) -> dict[Place, Mapping[str, Any]]:
    """Return the figures of the likeness of an order's patches, the first `most` in plan order."""
    query = _newest(DeliveredFile.order_id == order_id).add_columns(DeliveredFile.checks["likeness"])
    rows = session.execute(query.limit(most))
    return {(tile, patch): figures for tile, patch, figures in rows if figures is not None}


def file_sha256(session: Session, order_id: UUID, place: Place, version: int | None = None) -> str:
    """Return the SHA-256 of a patch's file, by default of the newest; NotFoundError when there is none."""
    files = file_versions(session, order_id, place).get(place, [])
    wanted = [one.sha256 for one in files if version in {None, one.version}]
    if wanted:
        return wanted[-1]
    tile, patch = place
    if files:
        raise NotFoundError(
            f"Patch {patch} of tile {tile} has no file of version {version}; its newest is {len(files)}.",
            tile=tile,
            patch=patch,
            newest=len(files),
        )
    raise NotFoundError(f"Patch {patch} of tile {tile} was not delivered.", tile=tile, patch=patch)


def delivered_patches(session: Session, order: Order) -> list[Delivered]:
    """Return the delivered patches of an order in plan order, each with its newest file."""
    query = (
        _newest(DeliveredFile.order_id == order.id)
        .join(Delivery, _same_patch())
        .add_columns(
            DeliveredFile.version,
            DeliveredFile.sha256,
            DeliveredFile.size,
            Delivery.settled_minor,
            DeliveredFile.created_at,
            _JOINED_FROM,
        )
    )
    return [
        Delivered(tile, patch, version, sha256, size, order.money(settled_minor), created_at, digests(joined))
        for tile, patch, version, sha256, size, settled_minor, created_at, joined in session.execute(query)
    ]


def delivered_pixels(
    session: Session, order_id: UUID, first_tile: int, last_tile: int, until: datetime
) -> list[PatchPixels]:
    """Return the newest file at the time `until` of each patch of first_tile .. last_tile, in plan order."""
    wanted = and_(
        DeliveredFile.order_id == order_id,
        DeliveredFile.tile.between(first_tile, last_tile),
        DeliveredFile.created_at <= until,
    )
    return _read_pixels(session, order_id, wanted)


def stored_pixels(
    session: Session, order_id: UUID, places: Collection[Place], until: datetime
) -> list[PatchPixels]:
    """Return the newest file at the time `until` of each of some patches of an order, in plan order."""
    wanted = and_(
        DeliveredFile.order_id == order_id,
        tuple_(DeliveredFile.tile, DeliveredFile.patch).in_(places),
        DeliveredFile.created_at <= until,
    )
    return _read_pixels(session, order_id, wanted)


def newest_file_at(session: Session, order_ids: Collection[UUID]) -> datetime | None:
    """Return the time of the newest file of some orders, None before the first."""
    query = select(func.max(DeliveredFile.created_at)).where(DeliveredFile.order_id.in_(order_ids))
    return session.scalar(query)


def first_file_after(
    session: Session, order_ids: Collection[UUID], until: datetime | None
) -> datetime | None:
    """Return the time of the oldest file of some orders that came after `until`, None when there is none."""
    query = select(func.min(DeliveredFile.created_at)).where(DeliveredFile.order_id.in_(order_ids))
    return session.scalar(query if until is None else query.where(DeliveredFile.created_at > until))


def warnings_of(session: Session, order_id: UUID) -> dict[Place, list[str]]:
    """Return the doubts about each patch's newest file, as sentences; no entry for a patch without any."""
    warned = func.jsonb_path_exists(DeliveredFile.checks, cast("$.warnings[0]", JSONPATH))
    newest = _newest(DeliveredFile.order_id == order_id).add_columns(DeliveredFile.checks["warnings"], warned)
    return {
        (tile, patch): [one["detail"] for one in found]
        for tile, patch, found, is_warned in session.execute(newest)
        if is_warned
    }


def delivered_counts(session: Session, order_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return the number of delivered patches of each order that has any."""
    query = select(Delivery.order_id, func.count()).where(Delivery.order_id.in_(order_ids))
    return dict(session.execute(query.group_by(Delivery.order_id)).all())


def warned_counts(session: Session, order_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many patches of each order have a warning in their newest file; no entry for none."""
    place = DeliveredFile.order_id, DeliveredFile.tile, DeliveredFile.patch
    files = select(DeliveredFile.order_id, DeliveredFile.checks).where(place[0].in_(order_ids))
    newest = files.ext(distinct_on(*place)).order_by(*place, DeliveredFile.version.desc()).subquery()
    warned = func.jsonb_path_exists(newest.c.checks, cast("$.warnings[0]", JSONPATH))
    query = select(newest.c.order_id, func.count()).where(warned).group_by(newest.c.order_id)
    return dict(session.execute(query).all())


def check_delivered_pixels(session: Session, order: Order, sha256: str | None = None) -> None:
    """Raise PixelsDeletedError (410) if the pixels of a file, by default of any in use, were deleted."""
    of_order = DeliveredFile.order_id == order.id
    newest = _newest(of_order).add_columns(DeliveredFile.pixels_sha256).subquery()
    deleted = (
        select(newest.c.tile).where(newest.c.pixels_sha256.is_not(None))
        if sha256 is None
        else select(DeliveredFile.tile).where(
            of_order, DeliveredFile.sha256 == sha256, DeliveredFile.pixels_sha256.is_not(None)
        )
    )
    if session.scalars(deleted.limit(1)).first() is not None:
        raise _deleted(session, order.id)


def _deleted(session: Session, order_id: UUID) -> PixelsDeletedError:
    order = session.get_one(Order, order_id, populate_existing=True)  # it may be older than the deletion
    if order.pixels_deleted_at is None:
        raise TypeError(f"order {order.id} has files without pixels and no time of their deletion")
    return PixelsDeletedError(
        f"the patches that were delivered for order {order.id}",
        order.pixels_deleted_at,
        order.pixels_deleted_by,
        "To use them again, write new files whose bytes differ, and deliver those.",
    )


def digests(joined_from: Sequence[Mapping[str, Any]] | None) -> tuple[str, ...]:
    """Return the digests of the files that a patch was joined from, by its checks; none for a single file."""
    return tuple(one["sha256"] for one in joined_from or ())


def _read_pixels(session: Session, order_id: UUID, wanted: ColumnElement[bool]) -> list[PatchPixels]:
    """Read patches; PixelsDeletedError (410) if they were deleted while the request computed."""
    columns = DeliveredFile.pixels, DeliveredFile.version, DeliveredFile.sha256, _JOINED_FROM
    found = [
        PatchPixels(tile, patch, pixels, version, sha256, digests(joined))
        for tile, patch, pixels, version, sha256, joined in session.execute(
            _newest(wanted).add_columns(*columns)
        )
    ]
    if not all(one.pixels for one in found):
        raise _deleted(session, order_id)
    return found


def _newest(wanted: ColumnElement[bool]) -> Select[int, int]:
    """Select tile and patch of the newest of the wanted files of each patch, in plan order."""
    place = DeliveredFile.tile, DeliveredFile.patch
    query = select(*place).ext(distinct_on(*place)).where(wanted)
    return query.order_by(*place, DeliveredFile.version.desc())


def _same_patch() -> ColumnElement[bool]:
    return and_(
        Delivery.order_id == DeliveredFile.order_id,
        Delivery.tile == DeliveredFile.tile,
        Delivery.patch == DeliveredFile.patch,
    )
