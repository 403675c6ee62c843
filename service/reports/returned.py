"""Patches refunded as unusable: their whole payment came back, and no file was delivered for them since."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from service.reports.ground import Ground, is_same_acquisition


class ReturnedPatch(NamedTuple):
    """A delivered patch of an order, what was paid for it, and other orders that delivered the same place."""

    order_id: UUID
    tile: int
    patch: int
    minor: int
    elsewhere: tuple[UUID, ...]


class GroundOf(NamedTuple):
    """The product and ground of an order."""

    price_list: str
    currency: str
    ground: Ground


_RETURNED = """
    SELECT d.order_id, d.tile, d.patch, d.settled_minor, ARRAY(
        SELECT other.order_id FROM public.delivery other JOIN public."order" o ON o.id = other.order_id
        WHERE o.workspace_id = m.workspace_id AND other.order_id <> d.order_id
            AND other.tile = d.tile AND other.patch = d.patch
    ) AS elsewhere
    FROM public.delivery d
    JOIN ledger.order_money m ON m.order_id = d.order_id
    CROSS JOIN LATERAL (
        SELECT max(f.created_at) AS at FROM public.delivered_file f
        WHERE f.order_id = d.order_id AND f.tile = d.tile AND f.patch = d.patch
    ) AS newest
    CROSS JOIN LATERAL (
        SELECT sum(a.amount) AS minor, max(a.at) AS at FROM ledger.adjustment a
        WHERE a.order_id = d.order_id AND a.tile = d.tile AND a.patch = d.patch AND a.kind = 'refund'
    ) AS its
    CROSS JOIN LATERAL (
        SELECT max(a.at) AS at FROM ledger.adjustment a WHERE a.order_id = d.order_id AND a.kind = 'refund'
    ) AS whole
    WHERE m.workspace_id = :workspace AND m.refunded_minor > 0 AND (
        its.minor >= d.settled_minor AND its.at >= newest.at
        OR m.refunded_minor >= m.settled_minor + m.charged_minor AND whole.at >= newest.at
    )
    ORDER BY d.order_id, d.tile, d.patch
"""


def read_returned(session: Session, workspace_id: UUID) -> dict[UUID, list[ReturnedPatch]]:
    """Return the patches refunded as unusable, by order."""
    found: dict[UUID, list[ReturnedPatch]] = {}
    for order_id, tile, patch, minor, elsewhere in session.execute(
        text(_RETURNED), {"workspace": workspace_id}
    ):
        patches = found.setdefault(order_id, [])
        patches.append(ReturnedPatch(order_id, tile, patch, minor, tuple(elsewhere)))
    return found


def not_replaced(
    patches: Iterable[ReturnedPatch],
    returned: Mapping[UUID, list[ReturnedPatch]],
    grounds: Mapping[UUID, GroundOf],
) -> int:
    """Return what was paid for those patches that no other order of the same product and ground delivered.

    `returned` has the patches of every order that were refunded as unusable themselves. Orders that are not
    in `grounds` are no part of the report.
    """
    useless = {(one.order_id, one.tile, one.patch) for group in returned.values() for one in group}
    return sum(
        one.minor
        for one in patches
        if not any(
            (other, one.tile, one.patch) not in useless and _are_alike(grounds[one.order_id], grounds[other])
            for other in one.elsewhere
        )
    )


def _are_alike(one: GroundOf, other: GroundOf) -> bool:
    same = (one.price_list, one.currency, one.ground.grid) == (
        other.price_list, other.currency, other.ground.grid,
    )  # fmt: skip
    return same and is_same_acquisition(one.ground, other.ground)
