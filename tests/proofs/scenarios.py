"""What the ledger's functions promise, each promise checked in one transaction that is undone."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service.access.repository import create_workspace
from service.errors import NotFoundError
from service.ledger import writer
from service.ledger.book import Account
from service.ledger.repository import violations
from tests.proofs.attacks import reason
from tests.proofs.books import balances, open_budget

LIMIT = 1_000


@dataclass(frozen=True)
class Scene:
    """A workspace with one budget of 10.00 USD and a hold of 4.00 on it."""

    session: Session
    workspace: UUID
    budget: UUID
    hold: UUID | None

    def has(self, available: int, reserved: int, spent: int) -> bool:
        found = balances(self.session, self.workspace)[self.budget]
        return (found[Account.AVAILABLE], found[Account.RESERVED], found[Account.SPENT]) == (
            available, reserved, spent,
        )  # fmt: skip

    def call(self, function: str, **values: object) -> object:
        """Call a function of the schema directly, as the database's owner can."""
        names = ", ".join(f":{name}" for name in values)
        return self.session.execute(text(f"SELECT ledger.{function}({names})"), values).scalar_one()


def set_scene(session: Session) -> Scene:
    workspace = create_workspace(session, str(uuid4())).id
    budget = open_budget(session, workspace, "scene", LIMIT)
    return Scene(session, workspace, budget, writer.reserve(session, workspace, budget, 400, "order:1"))


def refuses_what_a_budget_has_not(scene: Scene) -> None:
    with pytest.raises(writer.BudgetExceededError, match=r"has 6\.00 USD available and this needs 6\.01 USD"):
        writer.reserve(scene.session, scene.workspace, scene.budget, 601, "order:2")
    assert scene.has(600, 400, 0)


def holds_all_that_a_budget_has(scene: Scene) -> None:
    writer.reserve(scene.session, scene.workspace, scene.budget, 600, "order:2")
    assert scene.has(0, 1_000, 0)


def refuses_what_a_hold_has_not(scene: Scene) -> None:
    writer.settle(scene.session, scene.hold, 300, "delivery:1")
    for use in (writer.settle, writer.release):
        with pytest.raises(writer.HoldExceededError, match="has 100 minor units left, not 101"):
            use(scene.session, scene.hold, 101, "delivery:2")
    assert scene.has(600, 100, 300)


def uses_all_that_a_hold_has(scene: Scene) -> None:
    writer.settle(scene.session, scene.hold, 150, "delivery:1")
    writer.release(scene.session, scene.hold, 250, "order:1")
    assert scene.has(850, 0, 150)


def knows_no_budget_of_another_workspace(scene: Scene) -> None:
    elsewhere = create_workspace(scene.session, str(uuid4())).id
    for workspace, budget in ((elsewhere, scene.budget), (scene.workspace, uuid4())):
        with pytest.raises(NotFoundError):
            writer.reserve(scene.session, workspace, budget, 1, "order:2")


def knows_no_hold_that_was_never_made(scene: Scene) -> None:
    with pytest.raises(DBAPIError, match="no hold"), scene.session.begin_nested():
        scene.call("use_hold", kind="settle", hold=uuid4(), amount=1, reference="delivery:1")
    with pytest.raises(NotFoundError):
        writer.settle(scene.session, uuid4(), 1, "delivery:1")


def uses_a_hold_in_two_ways_only(scene: Scene) -> None:
    with pytest.raises(DBAPIError, match="a hold cannot be used by reserve"):
        scene.call("use_hold", kind="reserve", hold=scene.hold, amount=1, reference="order:3")


def posts_to_no_budget_that_is_not_there(scene: Scene) -> None:
    with pytest.raises(DBAPIError, match="no budget"):
        scene.call("post", kind="fund", budget=uuid4(), amount=1, hold=None, reference="x")


def posts_no_movement_that_is_not_there(scene: Scene) -> None:
    with pytest.raises(DBAPIError, match="query returned no rows"):
        scene.call("post", kind="gift", budget=scene.budget, amount=1, hold=None, reference="x")


def opens_a_second_budget(scene: Scene) -> None:
    open_budget(scene.session, scene.workspace, "second", 1)
    assert scene.has(600, 400, 0)


def opens_a_budget_of_nothing(scene: Scene) -> None:
    empty = open_budget(scene.session, scene.workspace, "empty", 0)
    assert balances(scene.session, scene.workspace)[empty] == dict.fromkeys(Account, 0)


def finds_its_tables_from_wherever_it_is_called(scene: Scene) -> None:
    """Every function by itself, from a session that made tables of the same names to deceive it."""
    for name in ("account", "hold", "transfer", "entry", "chain", "budget", "movement"):
        scene.session.execute(text(f"CREATE TEMPORARY TABLE {name} (LIKE ledger.{name} INCLUDING ALL)"))
    scene.call("count_hold", kind="settle", budget=scene.budget, hold=scene.hold, amount=1)
    scene.call("count_hold", kind="release", budget=scene.budget, hold=scene.hold, amount=399)
    with pytest.raises(DBAPIError, match="has less"), scene.session.begin_nested():
        scene.call("count_hold", kind="release", budget=scene.budget, hold=scene.hold, amount=1)
    scene.call("move_balance", budget=scene.budget, kind="reserved", change=-400)
    scene.call("move_balance", budget=scene.budget, kind="available", change=400)
    scene.call("post", kind="defund", budget=scene.budget, amount=100, hold=None, reference="x")
    hold = writer.reserve(scene.session, scene.workspace, scene.budget, 200, "order:2")
    writer.release(scene.session, hold, 50, "order:2")
    open_budget(scene.session, scene.workspace, "second", 1)
    assert scene.has(750, 150, 0)


def leaves_no_violation(scene: Scene) -> None:
    writer.release(scene.session, scene.hold, 100, "order:1")
    assert violations(scene.session) == []


SCENARIOS: tuple[Callable[[Scene], None], ...] = (
    refuses_what_a_budget_has_not, holds_all_that_a_budget_has, refuses_what_a_hold_has_not,
    uses_all_that_a_hold_has, knows_no_budget_of_another_workspace, knows_no_hold_that_was_never_made,
    uses_a_hold_in_two_ways_only, posts_to_no_budget_that_is_not_there, posts_no_movement_that_is_not_there,
    opens_a_second_budget, opens_a_budget_of_nothing, finds_its_tables_from_wherever_it_is_called,
    leaves_no_violation,
)  # fmt: skip


def play(session: Session, scenario: Callable[[Scene], None]) -> str | None:
    """Check one promise and undo it; how it was broken, or None."""
    savepoint = session.begin_nested()
    try:
        scenario(set_scene(session))
    except (Exception, pytest.fail.Exception) as broken:
        return in_brief(broken)
    finally:
        savepoint.rollback()
    return None


def in_brief(broken: BaseException) -> str:
    """What went wrong, in a line: the database's own reason where it was the database."""
    if isinstance(broken, DBAPIError) and isinstance(broken.orig, psycopg.Error):
        return reason(broken.orig)
    return f"{type(broken).__name__}: {str(broken).split(chr(10))[0]}"
