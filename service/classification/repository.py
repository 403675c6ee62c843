"""Classifications in the database. Rows are only ever added."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.classification.tables import Classification
from service.errors import NotFoundError


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
