"""Movements of money between accounts, the hash that chains them, and the share of one patch. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from service.money import Money

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GENESIS = bytes(32)
"""Predecessor's hash of a workspace's first transfer."""


class Account(StrEnum):
    """The four accounts of a budget; all but `funding` never go below zero."""

    FUNDING = "funding"
    """Source of the money: minus the sum of all grants."""
    AVAILABLE = "available"
    """Money that orders can hold."""
    RESERVED = "reserved"
    """Money held for orders."""
    SPENT = "spent"
    """Money paid for delivered patches."""


class Movement(StrEnum):
    """The nine kinds of movement."""

    FUND = "fund"
    """A grant to a budget."""
    RESERVE = "reserve"
    """A hold for an order."""
    SETTLE = "settle"
    """A payment of a delivered patch from its order's hold."""
    RELEASE = "release"
    """A return of money that a hold no longer needs."""
    REFUND = "refund"
    """A return of a payment."""
    DEFUND = "defund"
    """A withdrawal of granted money."""
    EXTEND = "extend"
    """A grant for an order beyond a limit whose enforcement is `warn` or `off`."""
    RETRACT = "retract"
    """A withdrawal of an `extend` that is no longer needed."""
    CHARGE = "charge"
    """A payment of an invoice above what was settled."""


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
"""Source and target account of each movement; `ledger.movement` in the database is the same table."""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """One movement of money. It never changes."""

    id: UUID
    workspace_id: UUID
    seq: int  # 1, 2, 3 ... without gaps in a workspace; orders the transfers
    kind: Movement
    budget_id: UUID
    from_account: int
    to_account: int
    amount: Money
    hold_id: UUID | None
    at: datetime  # never used to order transfers, because clocks jump
    reference: str
    previous_hash: bytes
    hash: bytes
    evidence: bytes | None = None  # hash of the workspace's newest evidence; None before there was evidence


def transfer_hash(transfer: Transfer) -> bytes:
    """Return the SHA-256 of the predecessor's hash and every field, as `ledger.transfer_hash` does.

    Fields have a fixed order and only the last may contain the separator `|`, so two different transfers
    never give the same text. A transfer without evidence has the first form.
    """
    form = (
        ("loupe-transfer-1",) if transfer.evidence is None else ("loupe-transfer-2", transfer.evidence.hex())
    )
    fields = (
        *form,
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
    """Return the first seq at which a workspace's chain is broken; None for a whole chain.

    `transfers` are all of one workspace, ordered by seq. Missing newest transfers are not found here: compare
    the last hash with the chain's head, or with a head noted elsewhere.
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
