"""The only writer of the ledger: thin calls of the SQL functions that move money.

Each call is part of the request's transaction. An error rolls the transaction back, so a refused movement
leaves no trace. References: `order:<order_id>` for a hold, `price:<order_id>/<tile>/<patch>` for an
enlarged hold, `delivery:<order_id>/<tile>/<patch>` for a payment.
"""

import json
from dataclasses import asdict
from datetime import date
from typing import Any, cast
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.errors import ConflictError, InvalidInputError
from service.ledger.book import Movement
from service.ledger.proposals import find_proposal
from service.ledger.refusals import refusals
from service.ledger.repository import find_order_money
from service.ledger.terms import BudgetTerms
from service.metrics import LEDGER_SECONDS, timed
from service.money import Money


def create_budget(
    session: Session,
    workspace_id: UUID,
    name: str,
    limit: Money,
    terms: BudgetTerms | None = None,
    key_id: str | None = None,
) -> UUID:
    """Open a budget, grant it `limit` and return its id.

    Errors: ConflictError when the name is taken; ApprovalAboveNeededError.
    """
    call = text("SELECT ledger.open_budget(:workspace, :name, :currency, :minor, :terms, :key)")
    values = {
        "workspace": workspace_id, "name": name, "currency": limit.currency, "minor": limit.minor,
        "terms": _as_json(terms or BudgetTerms()), "key": key_id,
    }  # fmt: skip
    try:
        with timed(LEDGER_SECONDS, kind="open_budget"), refusals(limit):
            return cast(UUID, session.execute(call, values).scalar_one())
    except IntegrityError as error:
        if "budget_name_unique" in str(error.orig):
            raise ConflictError(
                f"This workspace already has a budget named {name!r}. Choose another name.", name=name
            ) from error
        raise


def lock_budget(session: Session, workspace_id: UUID, budget_id: UUID) -> None:
    """Keep others from changing a budget until the request ends. NotFoundError outside the workspace."""
    with refusals(budget_id=budget_id):
        session.execute(
            text("SELECT ledger.lock_budget(:workspace, :budget)"),
            {"workspace": workspace_id, "budget": budget_id},
        )


def change_budget(
    session: Session,
    workspace_id: UUID,
    budget_id: UUID,
    limit: Money,
    terms: BudgetTerms,
    key_id: str | None = None,
) -> None:
    """Give a budget another limit and other terms; a changed limit makes a ledger entry.

    Terms that give more freedom to a budget with `approval_above` are stored as a proposal instead: the
    budget keeps its version.
    Errors: LimitBelowUseError, NotFoundError; ValueError in another currency than the budget's.
    """
    call = """
        SELECT (SELECT currency FROM ledger.budget WHERE id = :budget)
        FROM ledger.change_budget(:workspace, :budget, :minor, :terms, :key)
    """
    values = {
        "workspace": workspace_id, "budget": budget_id, "minor": limit.minor, "terms": _as_json(terms),
        "key": key_id,
    }  # fmt: skip
    with timed(LEDGER_SECONDS, kind="change_budget"), refusals(limit, budget_id=budget_id):
        _check_currency(limit, session.execute(text(call), values).scalar_one())


def reserve(
    session: Session,
    workspace_id: UUID,
    budget_id: UUID,
    amount: Money,
    reference: str,
    hold_id: UUID | None = None,
) -> UUID | None:
    """Hold money of a budget, in a new hold or on top of `hold_id`, and return the hold.

    Returns None for an amount of zero without a hold. Errors: BudgetExceededError (402),
    BudgetNotValidError, NotFoundError, ConflictError when `reference` has a hold; ValueError for a negative
    amount or another currency than the budget's.
    """
    _check_forwards(amount)
    call = """
        SELECT held, (SELECT currency FROM ledger.budget WHERE id = :budget)
        FROM ledger.reserve(:workspace, :budget, :minor, :reference, :hold) AS held
    """
    values = {
        "workspace": workspace_id, "budget": budget_id, "minor": amount.minor, "reference": reference,
        "hold": hold_id,
    }  # fmt: skip
    refused = refusals(amount, budget_id=budget_id, reference=reference)
    with timed(LEDGER_SECONDS, kind="reserve"), refused:
        held, currency = session.execute(text(call), values).one()
        _check_currency(amount, currency)
    return cast(UUID | None, held)


def settle(session: Session, hold_id: UUID | None, amount: Money, reference: str) -> None:
    """Pay from a hold. HoldExceededError beyond what is left, ConflictError when paid before."""
    _use_hold(session, "settle", hold_id, amount, reference)


def release(session: Session, hold_id: UUID | None, amount: Money, reference: str) -> None:
    """Return money of a hold to its budget. HoldExceededError beyond what is left."""
    _use_hold(session, "release", hold_id, amount, reference)


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
) -> int | None:
    """Post a refund or a later charge of an order, or a refund of one tile's patch; return its number.

    A charge that needs the key of another holder is stored as a proposal instead: None.
    Errors: NotFoundError, InvalidInputError for zero and for another currency, RefundExceedsPaymentError,
    BudgetExceededError (402).
    """
    order = find_order_money(session, workspace_id, order_id)
    currency = order.total.currency
    if amount.currency != currency or not amount:
        raise InvalidInputError(
            f"The amount must be above zero and in {currency}, the currency of the order.",
            amount=amount.amount,
            currency=amount.currency,
        )
    tile, patch = place or (None, None)
    values = {
        "workspace": workspace_id, "order": order_id, "kind": kind, "tile": tile, "patch": patch,
        "minor": amount.minor, "reason": reason, "key": key_id,
    }  # fmt: skip
    call = "SELECT ledger.adjust(:workspace, :order, :kind, :tile, :patch, :minor, :reason, :key)"
    with timed(LEDGER_SECONDS, kind=kind), refusals(amount, budget_id=order.budget_id):
        return cast(int | None, session.execute(text(call), values).scalar_one())


def decide(
    session: Session, workspace_id: UUID, proposal_id: UUID, *, approve: bool, note: str | None, key_id: str
) -> None:
    """Approve a proposal, which takes effect, or reject it.

    Errors: NotFoundError, SelfApprovalError, ProposalDecidedError, ProposalContradictsError, and those of
    `adjust` and `change_budget`.
    """
    proposal = find_proposal(session, workspace_id, proposal_id)
    amount = proposal.amount or (proposal.changes or {}).get("limit")
    values = {
        "workspace": workspace_id, "proposal": proposal_id, "approve": approve, "note": note, "key": key_id,
    }  # fmt: skip
    with timed(LEDGER_SECONDS, kind="decide"), refusals(amount, budget_id=proposal.budget_id):
        session.execute(text("SELECT ledger.decide(:workspace, :proposal, :approve, :note, :key)"), values)


def close_month(session: Session, workspace_id: UUID, month: date, key_id: str) -> bool:
    """Close a month, named by its first day, and state its balances; return False if it was closed before.

    Errors: MonthNotOverError, MonthNotNextError.
    """
    call = text("SELECT ledger.close_month(:workspace, :month, :key)")
    with timed(LEDGER_SECONDS, kind="close_month"), refusals():
        values = {"workspace": workspace_id, "month": month, "key": key_id}
        return bool(session.execute(call, values).scalar_one())


def _use_hold(session: Session, kind: str, hold_id: UUID | None, amount: Money, reference: str) -> None:
    """Move money of a hold; zero moves nothing. ValueError when negative or in another currency."""
    _check_forwards(amount)
    if not amount:
        return
    call = """
        SELECT (
            SELECT currency FROM ledger.budget b JOIN ledger.hold h ON h.budget_id = b.id WHERE h.id = :hold
        )
        FROM ledger.use_hold(:kind, :hold, :minor, :reference)
    """
    values = {"kind": kind, "hold": hold_id, "minor": amount.minor, "reference": reference}
    with timed(LEDGER_SECONDS, kind=kind), refusals(amount, reference=reference):
        _check_currency(amount, session.execute(text(call), values).scalar_one())


def _check_forwards(amount: Money) -> None:
    """Raise ValueError for a negative amount, which is a defect of the caller."""
    if amount.minor < 0:
        raise ValueError(f"money does not move backwards: {amount}")


def _check_currency(amount: Money, currency: str) -> None:
    """Raise ValueError for another currency than the budget's, which is a defect of the caller."""
    if amount.currency != currency:
        raise ValueError(f"{amount} cannot move in a budget in {currency}; money is never converted")


def _as_json(terms: BudgetTerms) -> str:
    """Write terms as JSON whose names are the columns of `ledger.budget_terms`."""
    columns: dict[str, Any] = asdict(terms)
    columns["approval_above_minor"] = None if terms.approval_above is None else terms.approval_above.minor
    del columns["approval_above"]
    return json.dumps(columns, default=str)
