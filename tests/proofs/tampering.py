"""Proofs: the audit finds what a superuser does to the rows with triggers off, and names the rule."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from service.database.engine import Database
from service.ledger.audit import audit_ledger
from service.ledger.book import Movement
from service.ledger.heads import Head, heads
from tests.proofs.books import open_books, open_budget, perform
from tests.proofs.forgeries import FORGERIES, HEALED, RECHAIN
from tests.proofs.model import ACCEPTED, Call
from tests.proofs.proof import Laboratory, Proof
from tests.proofs.worlds import make_world
from tests.support.databases import connected

LAST = "(SELECT id FROM ledger.transfer ORDER BY seq DESC LIMIT 1)"
REHASH = """
    DO $$
    DECLARE
        t ledger.transfer;
        previous bytea := decode(repeat('00', 32), 'hex');
    BEGIN
        FOR t IN SELECT * FROM ledger.transfer ORDER BY seq LOOP
            t.previous_hash := previous;
            t.hash := ledger.transfer_hash(t);
            UPDATE ledger.transfer SET previous_hash = previous, hash = t.hash WHERE id = t.id;
            previous := t.hash;
        END LOOP;
        UPDATE ledger.chain SET hash = previous, seq = (SELECT max(seq) FROM ledger.transfer);
    END $$
"""
UNDO_LAST = (
    f"""UPDATE ledger.account a SET balance = a.balance - e.amount, version = a.version - 1
        FROM ledger.entry e WHERE e.account_id = a.id AND e.transfer_id = {LAST}""",
    f"""UPDATE ledger.hold h SET released = h.released - t.amount
        FROM ledger.transfer t WHERE t.hold_id = h.id AND t.id = {LAST}""",
    f"DELETE FROM ledger.entry WHERE transfer_id = {LAST}",
    f"DELETE FROM ledger.transfer WHERE id = {LAST}",
)
INFLATE = (
    "UPDATE ledger.transfer SET amount = amount * 10 WHERE true",
    "UPDATE ledger.entry SET amount = amount * 10, balance_after = balance_after * 10",
    "UPDATE ledger.account SET balance = balance * 10",
    "UPDATE ledger.hold SET amount = amount * 10, settled = settled * 10, released = released * 10",
    "UPDATE delivery SET settled_minor = settled_minor * 10",
)
FORGED_HASH = """CREATE OR REPLACE FUNCTION ledger.transfer_hash(t ledger.transfer) RETURNS bytea
    LANGUAGE sql IMMUTABLE AS 'SELECT t.hash'"""

TAMPERINGS: dict[str, tuple[str, ...]] = {
    "edit an amount": ("UPDATE ledger.transfer SET amount = amount + 1 WHERE seq = 3",),
    "edit an amount and its entries": (
        "UPDATE ledger.transfer SET amount = amount + 1 WHERE seq = 3",
        """UPDATE ledger.entry SET amount = amount + sign(amount)
           WHERE transfer_id = (SELECT id FROM ledger.transfer WHERE seq = 3)""",
    ),
    "delete the last transfer": (f"DELETE FROM ledger.transfer WHERE id = {LAST}",),
    "delete one in the middle": ("DELETE FROM ledger.transfer WHERE seq = 3",),
    "swap two": (
        "UPDATE ledger.transfer SET seq = -3 WHERE seq = 3",
        "UPDATE ledger.transfer SET seq = 3 WHERE seq = 4",
        "UPDATE ledger.transfer SET seq = 4 WHERE seq = -3",
    ),
    "backdate one": ("UPDATE ledger.transfer SET at = at - interval '1 day' WHERE seq = 3",),
    "pay another patch": ("UPDATE ledger.transfer SET reference = reference || '1' WHERE kind = 'settle'",),
    "raise a balance": ("UPDATE ledger.account SET balance = balance + 1 WHERE kind = 'available'",),
    "free a hold": ("UPDATE ledger.hold SET released = released + 1",),
    "delete a delivery": ("DELETE FROM delivery",),
    "backdate one, forge the hash function": (
        "UPDATE ledger.transfer SET at = at - interval '1 day' WHERE seq = 3", FORGED_HASH,
    ),
    "undo the last without a trace, move the head back": (*UNDO_LAST, REHASH),
    "multiply everything by ten, rehash the whole chain": (*INFLATE, REHASH),
}  # fmt: skip


def prove_tampering_is_found(laboratory: Laboratory) -> Proof:
    """Tamper in every way, each in a transaction that is rolled back, and run the audit."""
    with laboratory.database() as url, connected(url, 1) as (database,):
        write_a_little(database)
        with database.sessions() as session:
            noted, untouched = heads(session), rules(session, heads(session))
        found = {name: tamper(database, statements, noted) or [] for name, statements in TAMPERINGS.items()}
    missed = [f"nothing found: {name}" for name, seen in found.items() if not seen]
    return Proof(
        claim="a superuser's tampering with triggers off is found",
        figures={"tamperings": len(found), "found": len(found) - len(missed), "false alarms": len(untouched)},
        against=(*missed, *(f"{rule} on untouched books" for rule in untouched)),
        titles=("tampering", "found by"),
        details=tuple((name, ", ".join(seen) or "nothing") for name, seen in found.items()),
    )


def prove_forgeries_are_found(laboratory: Laboratory) -> Proof:
    """Forge rows that figures rest on, before and after both chains are hashed again, and run the audit."""
    with laboratory.database() as url, connected(url, 1) as (database,):
        make_world(database)
        with database.sessions() as session:
            noted, untouched = heads(session), rules(session, heads(session))
        plain = {name: tamper(database, statements, []) for name, statements in FORGERIES.items()}
        rewritten = {
            f"{name}, all hashed again": tamper(database, (*FORGERIES[name], RECHAIN), noted)
            for name, seen in plain.items()
            if seen is not None and name not in HEALED
        }
    found = {name: seen for name, seen in (plain | rewritten).items() if seen is not None}
    missed = [f"nothing found: {name}" for name, seen in found.items() if not seen]
    return Proof(
        claim="a superuser's forgeries of what figures rest on are found, with noted heads also if rehashed",
        figures={"forgeries": len(found), "found": len(found) - len(missed), "false alarms": len(untouched)},
        against=(*missed, *(f"{rule} on untouched books" for rule in untouched)),
        titles=("forgery", "found by"),
        details=tuple((name, ", ".join(seen) or "nothing") for name, seen in found.items()),
    )


def write_a_little(database: Database) -> None:
    """Make five transfers: fund, reserve, settle, and two releases."""
    books = open_books(database, "tampered")
    with database.sessions.begin() as session:
        budget = open_budget(session, books.workspace, "tampered", 10_000)
    reserve = Call(kind=Movement.RESERVE, budget=budget, minor=5_000, reference="order:1")
    hold = perform(database, books, reserve).hold
    for kind, minor, reference in (
        (Movement.SETTLE, 1_000, books.settling(0)),
        (Movement.RELEASE, 1_000, "order:1"),
        (Movement.RELEASE, 2_000, "order:1"),
    ):
        call = Call(kind=kind, budget=budget, minor=minor, reference=reference, hold=hold)
        assert perform(database, books, call).code == ACCEPTED


def tamper(database: Database, statements: tuple[str, ...], noted: list[Head]) -> list[str] | None:
    """Return the audit's findings after a superuser's statements; None if they change no row. Undo them."""
    with database.sessions() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        changed = [session.connection().execute(text(statement)).rowcount for statement in statements]
        return rules(session, noted) if any(changed) else None


def rules(session: Session, noted: list[Head]) -> list[str]:
    """Return the short name of each broken rule once."""
    return list(dict.fromkeys(finding.rule.split()[0] for finding in audit_ledger(session, noted)))
