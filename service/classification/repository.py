"""Classifications in the database. Rows are only ever added."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from service.classification.tables import Classification
from service.errors import NotFoundError
from service.orders.delivered import first_file_after
from service.orders.tables import OPEN, Delivery, Order
from service.plans.tables import Plan


def keep_classification(session: Session, classification: Classification) -> Classification:
    """Store a new classification; return it with the database's id and time."""
    session.add(classification)
    session.flush()
    return classification


def find_classification(session: Session, workspace_id: UUID, classification_id: UUID) -> Classification:
    """Return a classification of the workspace; NotFoundError otherwise."""
    query = select(Classification).where(
        Classification.id == classification_id, Classification.workspace_id == workspace_id
    )
    row = session.scalars(query).one_or_none()
    if row is None:
        raise NotFoundError(
            f"There is no classification {classification_id}.", classification=str(classification_id)
        )
    return row


def counted_objects(session: Session, order_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return the objects that the latest classification of each order counted, if it counted any."""
    query = select(Classification.order_id, Classification.objects).where(
        Classification.order_id.in_(order_ids), Classification.objects.is_not(None)
    )
    rows = session.execute(query.order_by(Classification.created_at, Classification.id))
    return {order_id: objects for order_id, objects in rows if objects is not None}


def outdated_since(session: Session, made: Classification) -> datetime | None:
    """Return when the first file came that the labels do not use although it is newer, else None.

    A classification that does not state its newest file (before revision 0010) used all that came before it.
    """
    until: datetime | None = made.created_at
    if "delivered_until" in made.provenance:
        stated = made.provenance["delivered_until"]
        until = None if stated is None else datetime.fromisoformat(stated)
    sources = [UUID(order) for order in made.provenance.get("reused_orders", ())]
    return first_file_after(session, [made.order_id, *sources], until)


@dataclass(frozen=True, kw_only=True)
class BundleUses:
    """The number of plans made with a bundle, and of their orders that still need it, in all workspaces."""

    plans: int
    open: int
    unclassified: int
    """Orders that have ended with delivered patches and without labels."""

    @property
    def needed(self) -> bool:
        """Whether an order still needs the bundle."""
        return self.open > 0 or self.unclassified > 0


def uses_of_bundle(session: Session, sha256: str) -> BundleUses:
    """Count the plans made with a bundle, and their orders that are open or were never classified."""
    made_with = Plan.provenance["bundle"]["sha256"].astext == sha256
    is_open = Order.status.in_(OPEN)
    delivered = exists().where(Delivery.order_id == Order.id)
    labelled = exists().where(Classification.order_id == Order.id)
    orders = select(func.count()).select_from(Order).join(Plan, Plan.id == Order.plan_id).where(made_with)
    return BundleUses(
        plans=session.scalars(select(func.count()).select_from(Plan).where(made_with)).one(),
        open=session.scalars(orders.where(is_open)).one(),
        unclassified=session.scalars(orders.where(~is_open, delivered, ~labelled)).one(),
    )
