"""Delegations: an approver lends the right to approve to another holder until a date.

A row is never changed. The newest row for two holders applies, so one that ends now takes the right back.
A delegation ends with the last key of the lender that may approve.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from service.access.events import Event, EventKind, record
from service.access.repository import Caller, in_use
from service.access.roles import Right, allowed_roles, check_right
from service.access.tables import ApiKey, Delegation
from service.errors import InvalidInputError, NotFoundError

MOST_DAYS = 92
"""Most days for which approval can be lent."""
APPROVERS = allowed_roles(Right.APPROVE)


class DelegationInvalidError(InvalidInputError):
    """A delegation that could not be used, or that would last too long."""

    code = "delegation-invalid"
    title = "The approval cannot be lent so"


def lend(session: Session, caller: Caller, holder: str, ends_at: datetime, note: str | None) -> Delegation:
    """Let a holder approve for the caller's holder until `ends_at`.

    Errors: role-needed for a caller who only borrows the right; not-found without a key of the holder in use;
    delegation-invalid.
    """
    check_right(caller.role, Right.APPROVE)
    known = select(ApiKey.id).where(
        ApiKey.workspace_id == caller.workspace_id, ApiKey.holder == holder, in_use()
    )
    if session.scalar(known.limit(1)) is None:
        raise NotFoundError(
            f"No key in use has the holder {holder}. GET /v1/keys lists holders.", holder=holder
        )
    now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    latest = min(
        now + timedelta(days=MOST_DAYS), caller.expires_at or datetime.max.replace(tzinfo=now.tzinfo)
    )
    if holder == caller.holder:
        raise DelegationInvalidError("This is the holder of your own key. Name the holder of another one.")
    if not now < ends_at <= latest:
        raise DelegationInvalidError(
            f"Approval is lent until {latest:%Y-%m-%d %H:%M} UTC at most. Send a time from now until then."
        )
    row = _store(session, caller, caller.holder, holder, ends_at, note)
    said = {"until": ends_at.isoformat()}
    record(session, Event(EventKind.APPROVAL_LENT, caller.workspace_id, caller.key_id, holder, detail=said))
    return row


def take_back(session: Session, caller: Caller, delegation_id: UUID) -> Delegation:
    """End a delegation now; one that has ended stays as it is. Its lender and admins may do this.

    Errors: not-found, role-needed.
    """
    row = session.get(Delegation, delegation_id)
    if row is None or row.workspace_id != caller.workspace_id:
        raise NotFoundError(f"There is no delegation {delegation_id}.", delegation=str(delegation_id))
    if row.lender != caller.holder:
        check_right(caller.role, Right.ADMINISTER)
    if row.id not in {one.id for one in _in_force(session, caller.workspace_id, row.borrower)}:
        return row
    now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    ended = _store(session, caller, row.lender, row.borrower, now, None)
    record(session, Event(EventKind.APPROVAL_TAKEN_BACK, caller.workspace_id, caller.key_id, row.borrower))
    return ended


def delegations_of(session: Session, workspace_id: UUID) -> Sequence[Delegation]:
    """Return the newest 1,000 delegations of a workspace, ended ones included, newest first."""
    query = select(Delegation).where(Delegation.workspace_id == workspace_id)
    return session.scalars(query.order_by(Delegation.created_at.desc(), Delegation.id).limit(1_000)).all()


def borrows(session: Session, caller: Caller) -> bool:
    """Return whether somebody lends approval to the caller's holder now."""
    return bool(_in_force(session, caller.workspace_id, caller.holder))


def check_approves(session: Session, caller: Caller, asking: str | None, subject: str) -> None:
    """Raise RoleNeededError unless the caller may decide on what the holder `asking` wants.

    Whoever borrows the right cannot decide on what its lender asks for; the use of it is recorded for
    `subject`. That nobody approves what the own holder asks for is checked elsewhere.
    """
    if caller.may(Right.APPROVE):
        return
    lent = [one for one in _in_force(session, caller.workspace_id, caller.holder) if one.lender != asking]
    if not lent:
        check_right(caller.role, Right.APPROVE)
    said = {"lender": lent[0].lender, "delegation": str(lent[0].id)}
    kind = EventKind.DECIDED_FOR_ANOTHER
    record(session, Event(kind, caller.workspace_id, caller.key_id, subject, detail=said))


def _store(
    session: Session, caller: Caller, lender: str, borrower: str, ends_at: datetime, note: str | None
) -> Delegation:
    row = Delegation(
        workspace_id=caller.workspace_id,
        lender=lender,
        borrower=borrower,
        ends_at=ends_at,
        note=note,
        key_id=caller.key_id,
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def _in_force(session: Session, workspace_id: UUID, borrower: str) -> list[Delegation]:
    """Return the delegations to a holder that have not ended and whose lender can still approve."""
    newer = aliased(Delegation)
    replaced = select(newer.id).where(
        newer.workspace_id == Delegation.workspace_id,
        newer.lender == Delegation.lender,
        newer.borrower == Delegation.borrower,
        newer.created_at > Delegation.created_at,
    )
    lending = select(ApiKey.id).where(
        ApiKey.workspace_id == workspace_id,
        ApiKey.holder == Delegation.lender,
        ApiKey.role.in_(APPROVERS),
        in_use(),
    )
    query = select(Delegation).where(
        Delegation.workspace_id == workspace_id,
        Delegation.borrower == borrower,
        Delegation.ends_at > func.clock_timestamp(),
        ~replaced.exists(),
        lending.exists(),
    )
    return list(session.scalars(query.order_by(Delegation.created_at)).all())
