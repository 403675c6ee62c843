"""Price lists in the database. Rows are added and never changed."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Select, cast, func, literal, select, text
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from service.access.tables import Workspace
from service.errors import InvalidInputError, NotFoundError
from service.pricing.billing import PriceTerms
from service.pricing.examples import EXAMPLES
from service.pricing.schemas import PriceListTerms
from service.pricing.tables import PriceList
from service.web.paging import Cursor, PageRequest, fetch_page

_TODAY = func.current_date()


class PriceListUnknownError(InvalidInputError):
    """The error for a price list that the workspace does not have."""

    code = "price-list-unknown"
    title = "Price list not found"


class PriceListNotValidError(InvalidInputError):
    """The error for a price list that is not valid today."""

    code = "price-list-not-valid"
    title = "Price list not valid today"


def terms_of(row: PriceList) -> PriceTerms:
    """Return the terms of a price list that bills depend on."""
    return PriceListTerms.model_validate(row, from_attributes=True).terms()


def ensure_examples(session: Session, workspace_id: UUID) -> None:
    """Add the example price lists to a workspace that lacks them. Safe under concurrency."""
    same = {"workspace_id": workspace_id, "version": 1, "example": True}
    rows = [terms.columns() | same | {"name": name} for name, terms in EXAMPLES.items()]
    session.execute(insert(PriceList).values(rows).on_conflict_do_nothing())


def ensure_examples_everywhere(session: Session) -> None:
    """Give every workspace the example price lists, unless it has them."""
    for workspace_id in session.scalars(select(Workspace.id)):
        ensure_examples(session, workspace_id)


def publish(session: Session, workspace_id: UUID, fields: Mapping[str, Any]) -> tuple[PriceList, bool]:
    """Add a price list as the next version of its name.

    Returns the row and whether it is new: the terms of the newest version are not published again.
    """
    # The lock makes concurrent publishers of one name take their version numbers in turn.
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
    session.execute(lock, {"name": f"price-list/{workspace_id}/{fields['name']}"})
    newest = _newest(session, workspace_id, fields["name"])
    if newest is not None and all(getattr(newest, key) == value for key, value in fields.items()):
        return newest, False
    version = newest.version + 1 if newest else 1
    row = PriceList(workspace_id=workspace_id, version=version, example=False, **fields)
    session.add(row)
    session.flush()
    session.refresh(row)  # numbers as the database keeps them
    return row, True


def find_price_list(session: Session, workspace_id: UUID, price_list_id: UUID) -> PriceList:
    """Return a price list of the workspace; NotFoundError otherwise."""
    query = _of(workspace_id).where(PriceList.id == price_list_id)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no price list {price_list_id}.", price_list=str(price_list_id))
    return row


def resolve_price_list(session: Session, workspace_id: UUID, reference: str) -> PriceList:
    """Return the price list with this id, if it is valid today, or the newest version of this name that is.

    Adds the examples to the workspace first. Raises PriceListUnknownError, PriceListNotValidError.
    """
    ensure_examples(session, workspace_id)
    by_id = _as_uuid(reference)
    if by_id is None:
        row = _in_force(session, workspace_id, reference) or _newest(session, workspace_id, reference)
    else:
        row = session.scalars(_of(workspace_id).where(PriceList.id == by_id)).one_or_none()
    if row is None:
        raise PriceListUnknownError(
            f"This workspace has no price list {reference!r}. GET /v1/price-lists lists those it has.",
            price_list=reference,
        )
    _check_valid(session, row)
    return row


def _check_valid(session: Session, row: PriceList) -> None:
    """Check today's date by the database's clock, in UTC, as for every expiry."""
    today = session.execute(select(_TODAY)).scalar_one()
    first, last = row.valid_from or date.min, row.valid_to or date.max
    if not first <= today <= last:
        period = f"from {row.valid_from}" if today < first else f"until {row.valid_to}"
        raise PriceListNotValidError(
            f"Price list {row.name} version {row.version} is valid {period}; today is {today}.",
            price_list=str(row.id),
            valid_from=row.valid_from and row.valid_from.isoformat(),
            valid_to=row.valid_to and row.valid_to.isoformat(),
        )


def lists_in_force(session: Session, workspace_id: UUID, day: date | None = None) -> Sequence[PriceList]:
    """Return the newest version of each name that was published and valid on a day, newest first.

    The default is today, by the database's clock. Nothing is added, not even the examples.
    """
    today = _TODAY if day is None else literal(day)
    query = _of(workspace_id).where(
        cast(func.timezone("UTC", PriceList.created_at), Date) <= today,
        func.coalesce(PriceList.valid_from <= today, True),
        func.coalesce(PriceList.valid_to >= today, True),
    )
    query = query.ext(distinct_on(PriceList.name)).order_by(PriceList.name, PriceList.version.desc())
    return sorted(session.scalars(query), key=lambda one: (one.created_at, one.name), reverse=True)


def page_of_price_lists(
    session: Session, workspace_id: UUID, page: PageRequest
) -> tuple[list[PriceList], Cursor | None]:
    """Return one page of all versions of the workspace's price lists, newest first."""
    return fetch_page(session, _of(workspace_id), PriceList, page)


def _of(workspace_id: UUID) -> Select[PriceList]:
    return select(PriceList).where(PriceList.workspace_id == workspace_id)


def _newest(session: Session, workspace_id: UUID, name: str) -> PriceList | None:
    newest = select(func.max(PriceList.version)).where(
        PriceList.workspace_id == workspace_id, PriceList.name == name
    )
    query = _of(workspace_id).where(PriceList.name == name, PriceList.version == newest.scalar_subquery())
    return session.scalars(query).one_or_none()


def _in_force(session: Session, workspace_id: UUID, name: str) -> PriceList | None:
    """Return the newest version that is valid today: one published for later does not hide today's."""
    query = _of(workspace_id).where(
        PriceList.name == name,
        func.coalesce(PriceList.valid_from <= _TODAY, True),
        func.coalesce(PriceList.valid_to >= _TODAY, True),
    )
    return session.scalars(query.order_by(PriceList.version.desc()).limit(1)).one_or_none()


def _as_uuid(reference: str) -> UUID | None:
    try:
        return UUID(reference)
    except ValueError:
        return None


def currencies_of(session: Session, workspace_id: UUID) -> list[str]:
    """Return the currencies of the workspace's price lists, by name."""
    query = select(PriceList.currency).where(PriceList.workspace_id == workspace_id).distinct()
    return sorted(session.scalars(query))
