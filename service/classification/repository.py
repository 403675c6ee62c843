"""Classifications in the database. Rows are only ever added."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.classification.tables import Classification
from service.errors import NotFoundError
from service.orders.delivered import first_file_after


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
