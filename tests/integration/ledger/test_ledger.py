"""The ledger on a real PostgreSQL: money moves by its rules, or not at all."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service.access.repository import create_workspace
from service.database.engine import Database
from service.errors import ConflictError, NotFoundError
from service.ledger import repository, transfers, writer
from service.ledger.book import ROUTES, first_break
from service.ledger.refusals import BudgetExceededError, HoldExceededError
from service.ledger.terms import BudgetTerms
from service.money import Money
from tests.support.money import cents


@dataclass(frozen=True)
class Books:
    """A workspace with one budget of 100.00 USD."""

    database: Database
    workspace_id: UUID
    budget_id: UUID

    def reserve(self, minor: int, order: str = "1") -> UUID | None:
        with self.database.sessions.begin() as session:
            return writer.reserve(session, self.workspace_id, self.budget_id, cents(minor), f"order:{order}")

    def settle(self, hold_id: UUID | None, minor: int, patch: int = 0, order: UUID | None = None) -> None:
        """Settle a delivery and record it, as delivering a patch does."""
        order = order or uuid4()
        with self.database.sessions.begin() as session:
            writer.settle(session, hold_id, cents(minor), f"delivery:{order}/0/{patch}")
            record_delivery(session, order, patch, minor)

    def release(self, hold_id: UUID | None, minor: int) -> None:
        with self.database.sessions.begin() as session:
            writer.release(session, hold_id, cents(minor), "order:1")

    def balances(self) -> tuple[int, int, int]:
        """Return available, held and spent money in minor units."""
        with self.database.sessions() as session:
            budget = repository.get_budget(session, self.workspace_id, self.budget_id)
        return budget.available.minor, budget.held.minor, budget.spent.minor

    def transfers(self) -> int:
        with self.database.sessions() as session:
            return len(list(transfers.chain(session, self.workspace_id)))


def record_delivery(session: Session, order: UUID, patch: int, minor: int) -> None:
    """Insert a delivery without its order, with foreign keys off."""
    session.execute(text("SET LOCAL session_replication_role = replica"))
    session.execute(
        text("""INSERT INTO delivery (order_id, tile, patch, settled_minor)
                VALUES (:order, 0, :patch, :minor)"""),
        {"order": order, "patch": patch, "minor": minor},
    )
    session.execute(
        text(
            """SELECT ledger.append_evidence(workspace_id, 'delivery', 1, :subject, '') FROM ledger.chain"""
        ),
        {"subject": f"{order}/0/{patch}"},
    )
    session.execute(text("SET LOCAL session_replication_role = origin"))


@pytest.fixture
def books(database: Database, workspace_id: UUID) -> Books:
    with database.sessions.begin() as session:
        budget_id = writer.create_budget(session, workspace_id, "test", cents(10_000))
    return Books(database, workspace_id, budget_id)


def test_new_budget_is_all_available(books: Books) -> None:
    assert books.balances() == (10_000, 0, 0)


def test_reserve_settle_and_release_move_money(books: Books) -> None:
    hold = books.reserve(6_000)
    assert books.balances() == (4_000, 6_000, 0)

    books.settle(hold, 2_500)
    assert books.balances() == (4_000, 3_500, 2_500)

    books.release(hold, 3_500)
    assert books.balances() == (7_500, 0, 2_500)


def test_reserve_refuses_more_than_is_available(books: Books) -> None:
    books.reserve(6_000)

    with pytest.raises(BudgetExceededError) as caught:
        books.reserve(4_001, order="2")

    assert (caught.value.status, caught.value.extra) == (
        402,
        {"available": "40.00", "required": "40.01", "currency": "USD"},
    )


def test_refused_reserve_changes_nothing(books: Books) -> None:
    before = (books.balances(), books.transfers())

    with pytest.raises(BudgetExceededError):
        books.reserve(10_001)

    assert (books.balances(), books.transfers()) == before


@pytest.mark.parametrize("use", [Books.settle, Books.release])
def test_settle_and_release_refuse_more_than_the_hold_has_left(books: Books, use: object) -> None:
    hold = books.reserve(100)
    books.settle(hold, 60)

    with pytest.raises(HoldExceededError) as caught:
        use(books, hold, 41)  # type: ignore[operator]  # one of two methods

    assert caught.value.extra == {"left_minor": 40, "required_minor": 41}
    assert books.balances() == (9_900, 40, 60)


def test_zero_amounts_move_nothing(books: Books) -> None:
    hold = books.reserve(0)
    books.settle(hold, 0)
    books.release(hold, 0)

    assert hold is None
    assert books.transfers() == 1  # the grant


def test_negative_amounts_are_refused(books: Books) -> None:
    hold = books.reserve(100)

    for move in (
        books.reserve,
        lambda minor: books.settle(hold, minor),
        lambda minor: books.release(hold, minor),
    ):
        with pytest.raises(ValueError, match="backwards"):
            move(-1)


def test_writer_refuses_another_currency_and_moves_nothing(books: Books) -> None:
    hold = books.reserve(100)
    euro = Money(1, "EUR")
    before = (books.balances(), books.transfers())

    moves: list[Callable[[Session], object]] = [
        lambda own: writer.reserve(own, books.workspace_id, books.budget_id, euro, "order:2"),
        lambda own: writer.settle(own, hold, euro, "delivery:2"),
        lambda own: writer.release(own, hold, euro, "order:1"),
        lambda own: writer.change_budget(
            own, books.workspace_id, books.budget_id, Money(10_000, "EUR"), BudgetTerms()
        ),
    ]
    for move in moves:
        with pytest.raises(ValueError, match="never converted"), books.database.sessions.begin() as session:
            move(session)

    assert (books.balances(), books.transfers()) == before


def test_reserve_refuses_a_repeated_reference(books: Books) -> None:
    books.reserve(100, order="1")

    with pytest.raises(ConflictError, match="The ledger already has the entry order:1"):
        books.reserve(100, order="1")


def test_settle_refuses_a_repeated_reference(books: Books) -> None:
    hold, order = books.reserve(100), uuid4()
    books.settle(hold, 10, patch=3, order=order)

    with pytest.raises(ConflictError, match=f"The ledger already has the entry delivery:{order}/0/3"):
        books.settle(hold, 10, patch=3, order=order)


def test_budget_name_is_unique_in_a_workspace(books: Books) -> None:
    with books.database.sessions.begin() as session:
        elsewhere = create_workspace(session, "elsewhere").id
        writer.create_budget(session, elsewhere, "test", cents(1))

    with books.database.sessions.begin() as session, pytest.raises(ConflictError, match="'test'"):
        writer.create_budget(session, books.workspace_id, "test", cents(1))


def test_reserve_refuses_another_workspaces_budget(books: Books) -> None:
    with books.database.sessions.begin() as session:
        elsewhere = create_workspace(session, "elsewhere").id

    with books.database.sessions.begin() as session, pytest.raises(NotFoundError):
        writer.reserve(session, elsewhere, books.budget_id, cents(1), "order:1")


def test_settle_refuses_an_unknown_hold(books: Books) -> None:
    with pytest.raises(NotFoundError):
        books.settle(uuid4(), 1)


def test_first_break_accepts_the_chain_that_sql_wrote(books: Books) -> None:
    """Two implementations of the hash, one in each language, agree."""
    hold = books.reserve(6_000, order="ünïcode | and bars")
    books.settle(hold, 1)

    with books.database.sessions() as session:
        chain = list(transfers.chain(session, books.workspace_id))

    assert [transfer.seq for transfer in chain] == [1, 2, 3]
    assert first_break(chain) is None


def test_movement_table_matches_the_routes_in_python(books: Books) -> None:
    with books.database.sessions() as session:
        rows = session.execute(text("SELECT kind, from_kind, to_kind FROM ledger.movement")).all()

    assert {row.kind: (row.from_kind, row.to_kind) for row in rows} == ROUTES


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE ledger.transfer SET amount = 1", "append-only"),
        ("DELETE FROM ledger.transfer", "append-only"),
        ("DELETE FROM ledger.evidence", "append-only"),
        ("TRUNCATE ledger.transfer CASCADE", "append-only"),
        ("UPDATE ledger.entry SET amount = 1", "append-only"),
        ("DELETE FROM ledger.entry", "append-only"),
        ("TRUNCATE ledger.entry", "append-only"),
        ("UPDATE ledger.budget SET currency = 'EUR'", "append-only"),
        ("UPDATE ledger.movement SET to_kind = 'spent'", "append-only"),
        ("TRUNCATE plan CASCADE", "append-only"),
        ("TRUNCATE price_list CASCADE", "append-only"),
        ("TRUNCATE delivery CASCADE", "append-only"),
        ("TRUNCATE order_status_change", "append-only"),
        ("TRUNCATE classification", "append-only"),
        ("UPDATE ledger.budget_terms SET limit_minor = 1", "append-only"),
        ("DELETE FROM ledger.budget_terms", "append-only"),
        ("TRUNCATE ledger.budget_terms", "append-only"),
        ("TRUNCATE ledger.adjustment", "append-only"),
        ("UPDATE ledger.account SET balance = -1 WHERE kind = 'available'", "account_never_overspent"),
        ("UPDATE ledger.account SET balance = 1 WHERE kind = 'funding'", "account_funding_sign"),
        ("UPDATE ledger.hold SET released = 101", "hold_never_exceeded"),
        ("UPDATE ledger.hold SET settled = -1", "hold_counters_positive"),
        ("DELETE FROM workspace", "violates RESTRICT"),
        ("SELECT ledger.post('reserve', (SELECT id FROM ledger.budget), 0, gen_random_uuid(), 'x')",
         "hold_amount_positive"),
        ("SELECT ledger.post('reserve', (SELECT id FROM ledger.budget), 1, NULL, 'x')", "null value"),
        ("SELECT ledger.post('fund', (SELECT id FROM ledger.budget), 1, (SELECT id FROM ledger.hold), 'x')",
         "transfer_hold_when_held"),
        ("SELECT ledger.use_hold('reserve', (SELECT id FROM ledger.hold), 1, 'x')", "unknown-use"),
        ("SELECT ledger.open_budget((SELECT id FROM workspace), 'x', 'usd', 1)", "budget_currency_iso"),
    ],
)  # fmt: skip
def test_database_refuses_what_the_ledger_forbids(books: Books, statement: str, words: str) -> None:
    books.reserve(100)

    with pytest.raises(DBAPIError, match=words), books.database.sessions.begin() as session:
        session.execute(text(statement))
