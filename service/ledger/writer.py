"""The one way money moves: thin calls of the SQL functions in the schema `ledger`.

Each call is part of the request's transaction. Errors roll it back whole, so a refused movement
leaves no trace. References: `order:<order_id>` for a hold, `delivery:<order_id>/<tile>/<patch>` for
a payment.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, cast
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from service.errors import ConflictError, LoupeError, NotFoundError
from service.money import Money


class BudgetExceededError(LoupeError):
    """The budget has less available than the order costs."""

    status: ClassVar[int] = 402
    code = "budget-exceeded"
    title = "The budget cannot pay for this"


class HoldExceededError(ConflictError):
    """More was to be paid or released than the hold has left."""

    code = "hold-exceeded"
    title = "The hold has less left"


def create_budget(session: Session, workspace_id: UUID, name: str, limit: Money) -> UUID:
    """Open a budget and grant it `limit`; returns its id. ConflictError when the name is taken."""
    call = text("SELECT ledger.open_budget(:workspace, :name, :currency, :minor)")
    values = {"workspace": workspace_id, "name": name, "currency": limit.currency, "minor": limit.minor}
    try:
        return cast(UUID, session.execute(call, values).scalar_one())
    except IntegrityError as error:
        if "budget_name_unique" in str(error.orig):
            raise ConflictError(f"There is a budget named {name!r} already.", name=name) from error
        raise


def reserve(
    session: Session, workspace_id: UUID, budget_id: UUID, amount_minor: int, reference: str
) -> UUID | None:
    """Hold money of a budget and return the hold; None for an amount of zero, which needs none.

    Errors: BudgetExceededError (402), NotFoundError, ConflictError when `reference` has a hold.
    """
    if _is_nothing(amount_minor):
        return None
    values = {"workspace": workspace_id, "budget": budget_id, "minor": amount_minor, "reference": reference}
    with _refusals(session, budget_id, amount_minor, reference):
        call = text("SELECT ledger.reserve(:workspace, :budget, :minor, :reference)")
        return cast(UUID, session.execute(call, values).scalar_one())


def settle(session: Session, hold_id: UUID | None, amount_minor: int, reference: str) -> None:
    """Pay from a hold. HoldExceededError beyond what is left, ConflictError when paid before."""
    _use_hold(session, "settle", hold_id, amount_minor, reference)


def release(session: Session, hold_id: UUID | None, amount_minor: int, reference: str) -> None:
    """Give back what a hold does not need. HoldExceededError beyond what is left."""
    _use_hold(session, "release", hold_id, amount_minor, reference)


def _use_hold(session: Session, kind: str, hold_id: UUID | None, amount_minor: int, reference: str) -> None:
    if _is_nothing(amount_minor):
        return
    values = {"kind": kind, "hold": hold_id, "minor": amount_minor, "reference": reference}
    with _refusals(session, None, amount_minor, reference):
        session.execute(text("SELECT ledger.use_hold(:kind, :hold, :minor, :reference)"), values)


def _is_nothing(amount_minor: int) -> bool:
    """Zero moves nothing and writes nothing; a negative amount is a defect of the caller."""
    if amount_minor < 0:
        raise ValueError(f"money does not move backwards: {amount_minor}")
    return amount_minor == 0


@contextmanager
def _refusals(session: Session, budget_id: UUID | None, amount_minor: int, reference: str) -> Iterator[None]:
    """Turn the SQL functions' own errors into the domain's."""
    try:
        # The savepoint keeps the session usable, so that a refusal can name the currency.
        with session.begin_nested():
            yield
    except IntegrityError as error:
        if "transfer_reserved_once" in str(error.orig) or "transfer_settled_once" in str(error.orig):
            raise ConflictError(f"{reference} is in the ledger already.", reference=reference) from error
        raise
    except DBAPIError as error:
        raise _domain_error(session, error, budget_id, amount_minor) from error


def _domain_error(
    session: Session, error: DBAPIError, budget_id: UUID | None, amount_minor: int
) -> Exception:
    refusal = cast(Any, error.orig)  # psycopg's error: sqlstate and the DETAIL of RAISE
    match getattr(refusal, "sqlstate", None):
        case "LP402" if budget_id is not None:
            currency = session.execute(
                text("SELECT currency FROM ledger.budget WHERE id = :id"), {"id": budget_id}
            ).scalar_one()
            available, required = (
                Money(int(refusal.diag.message_detail), currency),
                Money(amount_minor, currency),
            )
            return BudgetExceededError(
                f"The budget has {available} available and this needs {required}.",
                available=available.amount, required=required.amount, currency=currency,
            )  # fmt: skip
        case "LP404":
            return NotFoundError("There is no such budget or hold.")
        case "LP409":
            left = int(refusal.diag.message_detail)
            return HoldExceededError(
                f"The hold has {left} minor units left, not {amount_minor}.",
                left_minor=left, required_minor=amount_minor,
            )  # fmt: skip
        case _:
            return error
