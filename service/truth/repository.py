"""True labels in the database. Rows are only ever added."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.classification.tables import Classification
from service.orders.tables import Order
from service.truth.calibration import KnownTile
from service.truth.scoring import LabelScore, TrueLabel, score_by_class, total_score
from service.truth.tables import TrueLabels

Given = Sequence[TrueLabels]
"""The true labels of one order, oldest first."""


def given_for(session: Session, order_id: UUID) -> Given:
    """Return what was given for an order, oldest first."""
    query = select(TrueLabels).where(TrueLabels.order_id == order_id)
    return session.scalars(query.order_by(TrueLabels.version)).all()


def newest_of(given: Iterable[TrueLabels]) -> dict[int, TrueLabel]:
    """Return the true label that counts for each tile: the newest, unless it was taken back."""
    found: dict[int, TrueLabel] = {}
    for row in given:
        for one in row.labels:
            found.pop(one["tile"], None)
            if one["true_label"] is not None:
                label = TrueLabel(label=one["true_label"], key_id=row.key_id, at=row.created_at)
                found[one["tile"]] = label
    return found


def keep_true_labels(
    session: Session, caller: Caller, order: Order, wanted: dict[int, str | None]
) -> TrueLabels | None:
    """Store true labels by tile for a locked order; None if each of them already counts."""
    given = given_for(session, order.id)
    now = {tile: one.label for tile, one in newest_of(given).items()}
    changed = {tile: label for tile, label in wanted.items() if now.get(tile) != label}
    if not changed:
        return None
    row = TrueLabels(
        order_id=order.id,
        version=len(given) + 1,
        workspace_id=caller.workspace_id,
        labels=[{"tile": tile, "true_label": label} for tile, label in sorted(changed.items())],
        key_id=caller.key_id,
    )
    session.add(row)
    session.flush()
    session.refresh(row, ["created_at"])
    return row


def newest_classification(session: Session, order_id: UUID) -> Classification | None:
    """Return the newest classification of an order, if it has one."""
    query = select(Classification).where(Classification.order_id == order_id)
    newest = query.order_by(Classification.created_at.desc(), Classification.id.desc())
    return session.scalars(newest.limit(1)).one_or_none()


def read_scores(session: Session, workspace_id: UUID) -> dict[UUID, LabelScore]:
    """Return the score of each classified order of which true labels are known."""
    given = _given(session, workspace_id)
    return {
        order_id: total_score(score_by_class(tiles, newest_of(given[order_id])))
        for order_id, tiles, _ in _newest_labels(session, list(given))
    }


def known_tiles(session: Session, workspace_id: UUID) -> Iterator[KnownTile]:
    """Yield the tiles of the workspace's newest classifications whose true label is known."""
    given = _given(session, workspace_id)
    for order_id, tiles, bundle in _newest_labels(session, list(given)):
        truth = newest_of(given[order_id])
        for tile in tiles:
            if tile["tile"] in truth:
                yield KnownTile(
                    bundle=f"{bundle['name']} {bundle['version']}",
                    true_label=truth[tile["tile"]].label,
                    label=tile["label"],
                    confidence=tile["confidence"],
                    lr_label=tile["lr_label"],
                )


def _given(session: Session, workspace_id: UUID) -> dict[UUID, list[TrueLabels]]:
    """Return the true labels of each order that has any, oldest first."""
    query = select(TrueLabels).where(TrueLabels.workspace_id == workspace_id)
    given: dict[UUID, list[TrueLabels]] = {}
    for row in session.scalars(query.order_by(TrueLabels.order_id, TrueLabels.version)):
        given.setdefault(row.order_id, []).append(row)
    return given


def _newest_labels(
    session: Session, order_ids: Sequence[UUID]
) -> list[tuple[UUID, list[dict[str, Any]], dict[str, Any]]]:
    """Return the labelled tiles of each order's newest classification, and the bundle that made them."""
    query = (
        select(Classification.order_id, Classification.tiles, Classification.provenance["bundle"])
        .where(Classification.order_id.in_(order_ids))
        .ext(distinct_on(Classification.order_id))
        .order_by(Classification.order_id, Classification.created_at.desc(), Classification.id.desc())
    )
    return [(order_id, tiles, bundle) for order_id, tiles, bundle in session.execute(query)]
