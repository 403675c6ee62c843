"""The book: how money may move, the hash that chains movements, and the share of one patch. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from service.money import Money

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GENESIS = bytes(32)
"""What the first transfer of a workspace takes for its predecessor's hash."""


class Account(StrEnum):
    """The four accounts of a budget; all but `funding` never go below zero."""

    FUNDING = "funding"
    """Where money comes from: minus everything ever granted."""
    AVAILABLE = "available"
    """Free to be held."""
    RESERVED = "reserved"
    """Held for orders."""
    SPENT = "spent"
    """Paid for delivered patches."""


class Movement(StrEnum):
    """The nine ways money moves."""

    FUND = "fund"
    """A budget is granted money."""
    RESERVE = "reserve"
    """An order takes a hold."""
    SETTLE = "settle"
    """A delivered patch is paid from its order's hold."""
    RELEASE = "release"
    """What a hold no longer needs becomes available."""
    REFUND = "refund"
    """A payment came back."""
    DEFUND = "defund"
    """Granted money is taken back."""
    EXTEND = "extend"
    """An order goes beyond a limit that only warns, or is off."""
    RETRACT = "retract"
    """What was let through beyond the limit is not needed after all."""
    CHARGE = "charge"
    """An invoice asks for more than was settled."""


ROUTES: Mapping[Movement, tuple[Account, Account]] = {
    Movement.FUND: (Account.FUNDING, Account.AVAILABLE),
    Movement.RESERVE: (Account.AVAILABLE, Account.RESERVED),
    Movement.SETTLE: (Account.RESERVED, Account.SPENT),
    Movement.RELEASE: (Account.RESERVED, Account.AVAILABLE),
    Movement.REFUND: (Account.SPENT, Account.AVAILABLE),
    Movement.DEFUND: (Account.AVAILABLE, Account.FUNDING),
    Movement.EXTEND: (Account.FUNDING, Account.AVAILABLE),
    Movement.RETRACT: (Account.AVAILABLE, Account.FUNDING),
    Movement.CHARGE: (Account.AVAILABLE, Account.SPENT),
}
"""From which account to which; the database holds the same table as `ledger.movement`."""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """One movement of money, as the ledger keeps it for ever."""

    id: UUID
    workspace_id: UUID
    seq: int  # 1, 2, 3 ... without gaps in a workspace; the only order
    kind: Movement
    budget_id: UUID
    from_account: int
    to_account: int
    amount: Money
    hold_id: UUID | None
    at: datetime  # data, never an order: clocks jump
    reference: str
    previous_hash: bytes
    hash: bytes


def transfer_hash(transfer: Transfer) -> bytes:
    """SHA-256 over the predecessor's hash and every field, as `ledger.transfer_hash` computes it.

    Fields have a fixed order and no bar in them but the last, so no two transfers read the same.
    """
    fields = (
        "loupe-transfer-1",
        transfer.id,
        transfer.workspace_id,
        transfer.seq,
        transfer.kind,
        transfer.budget_id,
        transfer.from_account,
        transfer.to_account,
        transfer.amount.currency,
        transfer.amount.minor,
        transfer.hold_id or "-",
        (transfer.at - EPOCH) // timedelta(microseconds=1),
        transfer.reference,
    )
    return hashlib.sha256(transfer.previous_hash + "|".join(map(str, fields)).encode()).digest()


def first_break(transfers: Iterable[Transfer]) -> int | None:
    """Return the seq at which a workspace's chain stops being whole; None when it is.

    `transfers` are all of one workspace by seq. A cut tail is invisible here: compare the last
    hash with the chain's head, or with one noted elsewhere.
    """
    previous = GENESIS
    for expected, transfer in enumerate(transfers, start=1):
        if transfer.seq != expected or transfer.previous_hash != previous:
            return expected
        if transfer.hash != transfer_hash(transfer):
            return expected
        previous = transfer.hash
    return None


def allocate(total: Money, patches: int, index: int) -> Money:
    """Return the share of patch `index` (0-based) of `patches` in a total.

    Rounding is cumulative: shares differ by at most one minor unit and sum to the total exactly.
    ValueError for a negative total or an index outside 0..patches-1.
    """
    if total.minor < 0 or not 0 <= index < patches:
        raise ValueError(f"{total} in {patches} shares has no share {index}")
    share = total.minor * (index + 1) // patches - total.minor * index // patches
    return Money(share, total.currency)
