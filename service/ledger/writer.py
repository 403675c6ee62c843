"""The one way money moves: thin calls of the SQL functions in the schema `ledger`.

Each call is part of the request's transaction. Errors roll it back whole, so a refused movement
leaves no trace. References: `order:<order_id>` for a hold, `price:<order_id>/<tile>/<patch>` for more of
it, `delivery:<order_id>/<tile>/<patch>` for a payment.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, ClassVar, cast
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from service.errors import ConflictError, InvalidInputError, LoupeError, NotFoundError
from service.ledger.book import Movement
from service.ledger.repository import find_order_money
from service.ledger.terms import Terms
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


class BudgetNotValidError(ConflictError):
    """The budget pays on other days."""

    code = "budget-not-valid"
    title = "The budget does not pay today"


class LimitBelowUseError(ConflictError):
    """The limit was to be lowered below what is held and spent."""

    code = "limit-below-use"
    title = "More than this is held and spent"


class RefundExceedsPaymentError(ConflictError):
    """More was to come back than was paid and has not come back before."""

    code = "refund-exceeds-payment"
    title = "Less than this was paid"


def create_budget(
    session: Session,
    workspace_id: UUID,
    name: str,
    limit: Money,
    terms: Terms | None = None,
    key_id: str | None = None,
) -> UUID:
    """Open a budget and grant it `limit`; returns its id. ConflictError when the name is taken."""
    call = text("SELECT ledger.open_budget(:workspace, :name, :currency, :minor, :terms, :key)")
    values = {
        "workspace": workspace_id, "name": name, "currency": limit.currency, "minor": limit.minor,
        "terms": _as_json(terms or Terms()), "key": key_id,
    }  # fmt: skip
    try:
        return cast(UUID, session.execute(call, values).scalar_one())
    except IntegrityError as error:
        if "budget_name_unique" in str(error.orig):
            raise ConflictError(f"There is a budget named {name!r} already.", name=name) from error
        raise


def lock_budget(session: Session, workspace_id: UUID, budget_id: UUID) -> None:
    """Keep others from changing a budget until the request ends. NotFoundError outside the workspace."""
    with _refusals(session, budget_id, 0, ""):
        session.execute(
            text("SELECT ledger.lock_budget(:workspace, :budget)"),
            {"workspace": workspace_id, "budget": budget_id},
        )


def change_budget(
    session: Session,
    workspace_id: UUID,
    budget_id: UUID,
    limit_minor: int,
    terms: Terms,
    key_id: str | None = None,
) -> None:
    """Give a budget another limit and other terms; what changes the limit is an entry.

    Errors: LimitBelowUseError, NotFoundError.
    """
    values = {
        "workspace": workspace_id, "budget": budget_id, "minor": limit_minor, "terms": _as_json(terms),
        "key": key_id,
    }  # fmt: skip
    with _refusals(session, budget_id, limit_minor, ""):
        session.execute(
            text("SELECT ledger.change_budget(:workspace, :budget, :minor, :terms, :key)"), values
        )


def reserve(
    session: Session,
    workspace_id: UUID,
    budget_id: UUID,
    amount_minor: int,
    reference: str,
    hold_id: UUID | None = None,
) -> UUID | None:
    """Hold money of a budget, or more in a hold there is, and return the hold; None to hold nothing.

    Errors: BudgetExceededError (402), BudgetNotValidError, NotFoundError, ConflictError when `reference`
    has a hold.
    """
    _check_forwards(amount_minor)
    values = {
        "workspace": workspace_id, "budget": budget_id, "minor": amount_minor, "reference": reference,
        "hold": hold_id,
    }  # fmt: skip
    with _refusals(session, budget_id, amount_minor, reference):
        call = text("SELECT ledger.reserve(:workspace, :budget, :minor, :reference, :hold)")
        return cast(UUID | None, session.execute(call, values).scalar_one())


def settle(session: Session, hold_id: UUID | None, amount_minor: int, reference: str) -> None:
    """Pay from a hold. HoldExceededError beyond what is left, ConflictError when paid before."""
    _use_hold(session, "settle", hold_id, amount_minor, reference)


def release(session: Session, hold_id: UUID | None, amount_minor: int, reference: str) -> None:
    """Give back what a hold does not need. HoldExceededError beyond what is left."""
    _use_hold(session, "release", hold_id, amount_minor, reference)


def adjust(
    session: Session,
    workspace_id: UUID,
    order_id: UUID,
    kind: Movement,
    amount: Money,
    reason: str,
    *,
    place: tuple[int, int] | None = None,
    key_id: str | None = None,
) -> int:
    """Post a refund or a later charge of an order, or a refund of one tile's patch; returns its number.

    Errors: NotFoundError, InvalidInputError for another currency, RefundExceedsPaymentError,
    BudgetExceededError (402).
    """
    order = find_order_money(session, workspace_id, order_id)
    if amount.currency != order.currency or amount.minor == 0:
        raise InvalidInputError(
            f"An adjustment of this order is an amount of {order.currency} above zero.",
            amount=amount.amount,
            currency=amount.currency,
        )
    tile, patch = place or (None, None)
    values = {
        "workspace": workspace_id, "order": order_id, "kind": kind, "tile": tile, "patch": patch,
        "minor": amount.minor, "reason": reason, "key": key_id,
    }  # fmt: skip
    call = "SELECT ledger.adjust(:workspace, :order, :kind, :tile, :patch, :minor, :reason, :key)"
    with _refusals(session, order.budget_id, amount.minor, ""):
        return cast(int, session.execute(text(call), values).scalar_one())


def _use_hold(session: Session, kind: str, hold_id: UUID | None, amount_minor: int, reference: str) -> None:
    _check_forwards(amount_minor)
    if amount_minor == 0:
        return
    values = {"kind": kind, "hold": hold_id, "minor": amount_minor, "reference": reference}
    with _refusals(session, None, amount_minor, reference):
        session.execute(text("SELECT ledger.use_hold(:kind, :hold, :minor, :reference)"), values)


def _check_forwards(amount_minor: int) -> None:
    """Zero moves nothing and writes nothing; a negative amount is a defect of the caller."""
    if amount_minor < 0:
        raise ValueError(f"money does not move backwards: {amount_minor}")


def _as_json(terms: Terms) -> str:
    """Write terms with the names of the columns of `ledger.budget_terms`."""
    return json.dumps(asdict(terms), default=str)


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
    state = getattr(refusal, "sqlstate", None)
    match state:
        case "LP404":
            return NotFoundError(f"There is {refusal.diag.message_primary}.")
        case "LP409":
            left = int(refusal.diag.message_detail)
            return HoldExceededError(
                f"The hold has {left} minor units left, not {amount_minor}.",
                left_minor=left, required_minor=amount_minor,
            )  # fmt: skip
        case "LP410":
            first, last = refusal.diag.message_detail.split("/")  # an open end is two dots
            days = f"from {first} " * (first != "..") + f"until {last} " * (last != "..")
            return BudgetNotValidError(
                f"It pays {days}alone.", budget=str(budget_id), valid=refusal.diag.message_detail
            )
        case "LP402" | "LP411" | "LP412" if budget_id is not None:
            currency = session.execute(
                text("SELECT currency FROM ledger.budget WHERE id = :id"), {"id": budget_id}
            ).scalar_one()
            there_is = Money(int(refusal.diag.message_detail), currency)
            return _shortage(state, there_is, Money(amount_minor, currency))
        case _:
            return error


def _shortage(state: str, there_is: Money, wanted: Money) -> LoupeError:
    """Say what there is and what was wanted: of a budget, of its limit, of a payment."""
    if state == "LP402":
        return BudgetExceededError(
            f"The budget has {there_is} available and this needs {wanted}.",
            available=there_is.amount, required=wanted.amount, currency=wanted.currency,
        )  # fmt: skip
    if state == "LP412":
        return RefundExceedsPaymentError(
            f"{there_is} of it is paid and has not come back, less than {wanted}.",
            refundable=there_is.amount, refund=wanted.amount, currency=wanted.currency,
        )  # fmt: skip
    return LimitBelowUseError(
        f"{there_is} of the budget is held and spent, so its limit cannot become {wanted}.",
        in_use=there_is.amount, limit=wanted.amount, currency=wanted.currency,
    )  # fmt: skip
