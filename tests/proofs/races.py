"""Work that many connections must be able to do at once: checks that a missing lock turns red."""

from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.orm import Session

from service.access.keys import id_of
from service.access.repository import create_key
from service.access.tables import Workspace
from service.database.engine import Database
from service.ledger import writer
from service.ledger.book import Movement
from service.ledger.terms import BudgetTerms, Enforcement
from tests.proofs.books import Books
from tests.support.money import cents

Turn = Callable[[Session, int], object]
"""Work of one connection in one transaction; each call gets another number."""


def reserves_beyond_a_limit(session: Session, books: Books) -> Turn:
    """Reserve beyond the limit: each call is accepted, with exactly the missing amount."""
    warns = BudgetTerms(enforcement=Enforcement.WARN)
    budget = writer.create_budget(session, books.workspace, "race", cents(10), warns)
    return lambda own, number: writer.reserve(own, books.workspace, budget, cents(1), f"order:{number}")


def posts_of_the_one_writer(session: Session, books: Books) -> Turn:
    """Call `ledger.post`, which is safe without its callers' locks."""
    budget = writer.create_budget(session, books.workspace, "race", cents(10))
    post = text("SELECT ledger.post('fund', :budget, 1, NULL, :reference)")
    return lambda own, number: own.execute(post, {"budget": budget, "reference": f"x:{number}"})


def openings_of_budgets(_session: Session, books: Books) -> Turn:
    """Open budgets beside work that shares the chain's row and then locks it.

    An opening that shares the row before it locks it would wait for that work, which would wait for it.
    """
    chain = "SELECT FROM ledger.chain WHERE workspace_id = :workspace FOR"

    def turn(own: Session, number: int) -> None:
        if number % 2:
            writer.create_budget(own, books.workspace, f"{number}", cents(1))
            return
        own.execute(text("SELECT pg_advisory_xact_lock(1)"))  # two of these would wait for each other
        own.execute(text(f"{chain} KEY SHARE"), {"workspace": books.workspace})
        own.execute(text("SELECT pg_sleep(0.05)"))  # the opening meets it here
        own.execute(text(f"{chain} UPDATE"), {"workspace": books.workspace})

    return turn


def deliveries_beside_charges(session: Session, books: Books) -> Turn:
    """Deliver and charge: both must lock the order before the chain."""
    budget = writer.create_budget(session, books.workspace, "race", cents(10_000))
    hold = writer.reserve(session, books.workspace, budget, cents(5_000), f"order:{books.order}")
    pay = text('UPDATE "order" SET budget_id = :budget WHERE id = :order')
    session.execute(pay, {"budget": budget, "order": books.order})
    lock = text('SELECT id FROM "order" WHERE id = :order FOR UPDATE')

    def turn(own: Session, number: int) -> None:
        if number % 2:
            writer.adjust(own, books.workspace, books.order, Movement.CHARGE, cents(1), "x")
        else:
            own.execute(lock, {"order": books.order})
            writer.release(own, hold, cents(1), f"part:{number}")

    return turn


def rows_with_evidence(_session: Session, books: Books) -> Turn:
    """Add rows of which evidence is kept: each takes its place in the chain under the chain's lock."""
    insert = text("""
        INSERT INTO scene (id, workspace_id, sha256, size, reading)
        VALUES (gen_random_uuid(), :workspace, :number, 1, '{}')
    """)

    def turn(own: Session, number: int) -> None:
        own.execute(insert, {"workspace": books.workspace, "number": str(number)})
        own.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))  # at the commit there is hardly time for a race

    return turn


def closings_of_a_month(session: Session, books: Books) -> Turn:
    """Close the same month: one connection closes it, the others find it closed."""
    writer.create_budget(session, books.workspace, "race", cents(10))
    key = id_of(create_key(session, session.get_one(Workspace, books.workspace), "closing"))
    session.execute(text("SET LOCAL session_replication_role = replica"))
    session.execute(text("UPDATE ledger.transfer SET at = at - interval '1 month'"))
    month = session.execute(
        text("SELECT date_trunc('month', min(at))::date FROM ledger.transfer")
    ).scalar_one()
    session.execute(text("SET LOCAL session_replication_role = origin"))

    def turn(own: Session, _number: int) -> None:
        if writer.close_month(own, books.workspace, month, key):
            own.execute(text("SELECT pg_sleep(0.2)"))  # only the first call can race; the others meet it here

    return turn


RACES: tuple[Callable[[Session, Books], Turn], ...] = (
    reserves_beyond_a_limit, posts_of_the_one_writer, openings_of_budgets, deliveries_beside_charges,
    rows_with_evidence, closings_of_a_month,
)  # fmt: skip


def attempting(turn: Turn) -> Callable[[Database, int], bool]:
    """Return an attempt that runs a turn in its own transaction; it is true when committed."""

    def attempt(client: Database, number: int) -> bool:
        with client.sessions.begin() as session:
            turn(session, number)
        return True

    return attempt
