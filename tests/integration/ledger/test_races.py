"""Many connections at once: the ledger accepts exactly what fits, and no deadlock occurs."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

from service.database.engine import Database
from service.ledger import repository, writer
from service.ledger.refusals import BudgetExceededError, HoldExceededError
from tests.support.money import cents

CONNECTIONS, ROUNDS, PRICE, LIMIT = 16, 4, 100, 5_000  # 64 attempts, money for 50


def race(attempt: Callable[[int], bool]) -> int:
    """Run `attempt(n)` for every n on 16 threads that start together; return how many succeeded."""
    start = Barrier(CONNECTIONS)

    def runner(number: int) -> int:
        start.wait(timeout=30)
        return sum(attempt(number * ROUNDS + turn) for turn in range(ROUNDS))

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return sum(pool.map(runner, range(CONNECTIONS)))


def wide(database_url: str) -> Database:
    """Connect with a pool that has a connection for every thread."""
    engine = create_engine(database_url, pool_size=CONNECTIONS)
    return Database(engine, sessionmaker(engine))


def test_racing_reserves_accept_exactly_what_fits(database_url: str, workspace_id: UUID) -> None:
    database = wide(database_url)
    with database.sessions.begin() as session:
        budget = writer.create_budget(session, workspace_id, "race", cents(LIMIT))

    def attempt(number: int) -> bool:
        try:
            with database.sessions.begin() as session:
                writer.reserve(session, workspace_id, budget, cents(PRICE), f"order:{number}")
        except BudgetExceededError:
            return False
        return True

    accepted = race(attempt)

    with database.sessions() as session:
        found = repository.get_budget(session, workspace_id, budget)
    database.engine.dispose()
    assert accepted == LIMIT // PRICE
    assert (found.available, found.held) == (cents(0), cents(LIMIT))


def test_race_overspends_with_check_then_write(database_url: str) -> None:
    """Check that the race above is a race: here all threads read before any writes."""
    database = wide(database_url)
    with database.sessions.begin() as session:
        session.execute(text("CREATE TABLE purse (balance bigint)"))
        session.execute(text("INSERT INTO purse VALUES (:limit)"), {"limit": PRICE})
    everybody_has_read = Barrier(CONNECTIONS)

    def attempt(number: int) -> bool:
        if number % ROUNDS:
            return False
        with database.sessions.begin() as session:
            balance = session.execute(text("SELECT balance FROM purse")).scalar_one()
            everybody_has_read.wait(timeout=30)
            if balance < PRICE:
                return False
            session.execute(text("UPDATE purse SET balance = balance - :price"), {"price": PRICE})
        return True

    accepted = race(attempt)

    with database.sessions() as session:
        left = session.execute(text("SELECT balance FROM purse")).scalar_one()
    database.engine.dispose()
    assert accepted == CONNECTIONS  # with money for one
    assert left == PRICE - CONNECTIONS * PRICE


def test_racing_releases_return_a_hold_once(database_url: str, workspace_id: UUID) -> None:
    database = wide(database_url)
    with database.sessions.begin() as session:
        budget = writer.create_budget(session, workspace_id, "race", cents(LIMIT))
        hold = writer.reserve(session, workspace_id, budget, cents(PRICE), "order:1")

    def attempt(_number: int) -> bool:
        try:
            with database.sessions.begin() as session:
                writer.release(session, hold, cents(PRICE), "order:1")
        except HoldExceededError:
            return False
        return True

    accepted = race(attempt)
    database.engine.dispose()

    assert accepted == 1


def test_budgets_of_one_workspace_do_not_deadlock(database_url: str, workspace_id: UUID) -> None:
    """Reserve from two budgets in opposite orders; every transaction ends."""
    database = wide(database_url)
    with database.sessions.begin() as session:
        budgets = [writer.create_budget(session, workspace_id, name, cents(1_000_000)) for name in ("a", "b")]

    def attempt(number: int) -> bool:
        with database.sessions.begin() as session:
            for budget in budgets if number % 2 else reversed(budgets):
                writer.reserve(session, workspace_id, budget, cents(PRICE), f"order:{number}/{budget}")
        return True

    accepted = race(attempt)
    database.engine.dispose()

    assert accepted == CONNECTIONS * ROUNDS


def test_budgets_opened_at_once_do_not_wait_for_each_other(database_url: str, workspace_id: UUID) -> None:
    """Open budgets at once: the foreign key of each shares the chain's row, which its grant locks."""
    database = wide(database_url)

    def attempt(number: int) -> bool:
        with database.sessions.begin() as session:
            writer.create_budget(session, workspace_id, f"budget {number}", cents(LIMIT))
        return True

    accepted = race(attempt)
    database.engine.dispose()

    assert accepted == CONNECTIONS * ROUNDS
