"""Balances of a budget after each movement, found without adding up the movements before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from service.ledger.book import Transfer
from service.money import Money


@dataclass(frozen=True, kw_only=True)
class BalancesAfter:
    """Balances of a budget after one of its movements. `spent` is all that it ever paid, minus refunds."""

    available: Money
    held: Money
    spent: Money


# Entries of an account are numbered without gaps in the order of the ledger, so the last one up to a movement
# is found by halving: about 20 look-ups in an account of a million entries.
_BALANCES = text("""
    WITH RECURSIVE search AS (
        SELECT w.seq, a.id AS account, CAST(0 AS bigint) AS low, a.version AS high
        FROM unnest(CAST(:seqs AS bigint[]), CAST(:budgets AS uuid[])) AS w (seq, budget)
        JOIN ledger.account a ON a.budget_id = w.budget AND a.kind <> 'funding'
        UNION ALL
        SELECT s.seq, s.account,
            CASE WHEN probe.seq <= s.seq THEN (s.low + s.high + 1) / 2 ELSE s.low END,
            CASE WHEN probe.seq <= s.seq THEN s.high ELSE (s.low + s.high + 1) / 2 - 1 END
        FROM search s CROSS JOIN LATERAL (
            SELECT t.seq FROM ledger.entry e JOIN ledger.transfer t ON t.id = e.transfer_id
            WHERE e.account_id = s.account AND e.version = (s.low + s.high + 1) / 2
            LIMIT 1
        ) AS probe
        WHERE s.low < s.high
    )
    SELECT s.seq, a.kind, coalesce(e.balance_after, 0) AS minor
    FROM search s JOIN ledger.account a ON a.id = s.account
    LEFT JOIN ledger.entry e ON e.account_id = s.account AND e.version = s.low
    WHERE s.low = s.high
""")


def balances_after(session: Session, transfers: Sequence[Transfer]) -> Mapping[int, BalancesAfter]:
    """Return the balances of each transfer's budget right after it, by the transfer's seq."""
    values = {
        "seqs": [transfer.seq for transfer in transfers],
        "budgets": [transfer.budget_id for transfer in transfers],
    }
    minor = {(row.seq, row.kind): row.minor for row in session.execute(_BALANCES, values)}

    def after(transfer: Transfer, account: str) -> Money:
        return Money(minor[transfer.seq, account], transfer.amount.currency)

    return {
        one.seq: BalancesAfter(
            available=after(one, "available"), held=after(one, "reserved"), spent=after(one, "spent")
        )
        for one in transfers
    }
