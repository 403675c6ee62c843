"""Refusals of the ledger: an error with a sentence for each code that the SQL functions raise."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, cast
from uuid import UUID

from sqlalchemy.exc import DBAPIError, IntegrityError

from service.errors import ConflictError, LoupeError, NotFoundError
from service.money import LARGEST_MINOR, Money


class BudgetExceededError(LoupeError):
    """Less money available than the order or charge needs."""

    status: ClassVar[int] = 402
    code = "budget-exceeded"
    title = "The budget cannot pay for this"


class HoldExceededError(ConflictError):
    """A payment or release of more than the hold has left."""

    code = "hold-exceeded"
    title = "The hold has less money left"


class BudgetNotValidError(ConflictError):
    """A budget outside its days of validity."""

    code = "budget-not-valid"
    title = "The budget is not valid today"


class LimitBelowUseError(ConflictError):
    """A new limit below held plus spent money."""

    code = "limit-below-use"
    title = "The limit is less than what is held and spent"


class RefundExceedsPaymentError(ConflictError):
    """A refund of more than was paid and not refunded before."""

    code = "refund-exceeds-payment"
    title = "The refund is more than what was paid"


class SelfApprovalError(LoupeError):
    """A decision with a key of the holder who ordered or proposed."""

    status: ClassVar[int] = 403
    code = "self-approval"
    title = "Another key has to decide"


class ProposalDecidedError(ConflictError):
    """A second decision on a proposal."""

    code = "proposal-decided"
    title = "The proposal is decided"


class ProposalContradictsError(ConflictError):
    """An approval of terms that contradict those in force now."""

    code = "proposal-contradicts"
    title = "The proposal contradicts the terms in force"


class MonthNotOverError(ConflictError):
    """A close of a month that has not ended."""

    code = "month-not-over"
    title = "The month is not over"


class MonthNotNextError(ConflictError):
    """A close of a month while another one is due."""

    code = "month-not-next"
    title = "Another month is due"


class MonthClosedError(ConflictError):
    """An entry while the database's clock shows a month that is closed."""

    code = "month-closed"
    title = "The month is closed"


class SumTooLargeError(ConflictError):
    """A movement after which a balance would leave the range of amounts."""

    code = "sum-too-large"
    title = "The sum is too large"


class ApprovalAboveNeededError(ConflictError):
    """A new budget with which one holder could go around the `approval_above` of another budget."""

    code = "approval-above-needed"
    title = "Another budget of the workspace needs a second key"


@contextmanager
def refusals(
    amount: Money | None = None, *, budget_id: UUID | None = None, reference: str = ""
) -> Iterator[None]:
    """Raise the domain's error for a code that an SQL function of the ledger raises.

    `amount` is the requested amount; its currency is that of the budget. A refusal ends the transaction. A
    caller that goes on after one sets a savepoint, which is not done here: the workspace's chain is locked.
    """
    try:
        yield
    except IntegrityError as error:
        if "transfer_reserved_once" in str(error.orig) or "transfer_settled_once" in str(error.orig):
            detail = f"The ledger already has the entry {reference}."
            raise ConflictError(detail, reference=reference) from error
        if "account_range" in str(error.orig):
            raise _too_large(amount) from error
        if "decision_pkey" in str(error.orig):
            raise ProposalDecidedError("Somebody has decided on this proposal before.") from error
        if "terms_validity" in str(error.orig):
            raise ProposalContradictsError(
                "The budget would end before it starts, because its days were changed since. Reject the "
                "proposal and send the change again."
            ) from error
        raise
    except DBAPIError as error:
        raise _domain_error(error, amount, budget_id) from error


def _domain_error(error: DBAPIError, amount: Money | None, budget_id: UUID | None) -> Exception:
    """Translate ERRCODE, MESSAGE and DETAIL of a RAISE; section 5 of schema.sql lists them."""
    refusal = cast(Any, error.orig)  # psycopg's error
    detail = refusal.diag.message_detail or ""
    match getattr(refusal, "sqlstate", None):
        case "LP404":
            return _not_found(refusal.diag.message_primary, detail)
        case "LP410":
            return _not_valid(detail, budget_id)
        case "LP414" if amount is not None:
            return _charged_too_much(Money(int(detail), amount.currency), amount)
        case "LP413":
            return SelfApprovalError(
                f"Key {detail} proposed this, and your key has the same holder. Ask the holder of another "
                "key of the workspace to approve it, or reject it to withdraw it.",
                key=detail,
            )
        case "LP402" | "LP409" | "LP411" | "LP412" as state if amount is not None:
            return _shortage(state, Money(int(detail), amount.currency), amount)
        case state:
            return _of_month(state, detail[:7]) or _of_opening(state, detail) or error


def _too_large(amount: Money | None) -> SumTooLargeError:
    if amount is None:
        return SumTooLargeError("The sums of the budget would be too large. Use another budget.")
    largest = Money(LARGEST_MINOR - 1, amount.currency)
    return SumTooLargeError(
        f"With {amount} more, the sums of the budget would be above {largest}. Use another budget.",
        amount=amount.amount, currency=amount.currency, largest=largest.amount,
    )  # fmt: skip


def _charged_too_much(charged: Money, amount: Money) -> SumTooLargeError:
    largest = Money(LARGEST_MINOR - 1, amount.currency)
    return SumTooLargeError(
        f"{charged} was charged to this order; with {amount} more, its charges would be above {largest}.",
        amount=amount.amount, currency=amount.currency, largest=largest.amount,
    )  # fmt: skip


def _not_found(code: str, detail: str) -> NotFoundError:
    """Name the budget, hold, order or delivery that does not exist; a delivery is `TILE/PATCH`."""
    if code == "no-delivery":
        tile, patch = detail.split("/")
        return NotFoundError(f"This order has no delivery of patch {patch} of tile {tile}.")
    return NotFoundError(f"There is no {code.removeprefix('no-')} {detail}.")


def _not_valid(valid: str, budget_id: UUID | None) -> BudgetNotValidError:
    """Write the days of validity, `FIRST/LAST`; an open end is two dots."""
    first, last = valid.split("/")
    if first == "..":
        days = f"until {last}"
    else:
        days = f"from {first} on" if last == ".." else f"from {first} to {last}"
    return BudgetNotValidError(f"The budget is only valid {days}.", budget=str(budget_id), valid=valid)


def _shortage(state: str, there_is: Money, wanted: Money) -> LoupeError:
    """Return the error that compares the money of a budget, hold, limit or payment with the request."""
    if state == "LP402":
        return BudgetExceededError(
            f"The budget has {there_is} available; {wanted} is needed. Raise its limit, or cancel an order "
            "that it pays for.",
            available=there_is.amount, required=wanted.amount, currency=wanted.currency,
        )  # fmt: skip
    if state == "LP409":
        return HoldExceededError(
            f"The hold has {there_is} left; {wanted} was requested.",
            left_minor=there_is.minor, required_minor=wanted.minor,
        )  # fmt: skip
    if state == "LP412":
        return RefundExceedsPaymentError(
            f"Only {there_is} can still be refunded; {wanted} was requested.",
            refundable=there_is.amount, refund=wanted.amount, currency=wanted.currency,
        )  # fmt: skip
    return LimitBelowUseError(
        f"{there_is} of the budget is held or spent, so its limit cannot be {wanted}.",
        in_use=there_is.amount, limit=wanted.amount, currency=wanted.currency,
    )  # fmt: skip


def _of_month(state: str | None, month: str) -> LoupeError | None:
    """Return the error about a month, `2026-10` or empty if none is due; None for another state."""
    if state == "LP415":
        return MonthNotOverError(f"{month} is not over (UTC). Close it in the next month.", month=month)
    if state == "LP416":
        due = (
            f"The next one to close is {month}, once it is over (UTC)."
            if month
            else "The ledger has no entry, so no month is due."
        )
        return MonthNotNextError(f"Months are closed one after the other. {due}", due=month)
    if state == "LP417":
        return MonthClosedError(
            f"{month} is closed, and the database's clock shows a time in it or before. Set the clock right.",
            month=month,
        )
    return None


def _of_opening(state: str | None, currency: str) -> LoupeError | None:
    """Return the error about a new budget in a currency; None for another state."""
    if state != "LP418":
        return None
    return ApprovalAboveNeededError(
        "A budget of this workspace has approval_above, so a new one opens with an approval_above of "
        f"{Money(0, currency)}: its orders then need another holder. Send that, and change it "
        "afterwards: the change waits for another holder."
    )
