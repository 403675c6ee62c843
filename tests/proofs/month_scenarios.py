"""What the ledger's functions promise about closed months."""

from datetime import date
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from service.access.repository import create_workspace
from service.ledger import writer
from service.ledger.refusals import MonthClosedError, MonthNotNextError, MonthNotOverError
from tests.proofs.books import open_budget
from tests.proofs.budget_scene import Scene
from tests.support.money import cents

Months = tuple[date, date, date]


def months(session: Session) -> Months:
    """Return the first days of the month before last, of the last and of this month."""
    query = "SELECT (date_trunc('month', ledger.today()) - make_interval(months => n))::date"
    first, last, this = session.execute(text(f"{query} FROM unnest(ARRAY[2, 1, 0]) n")).scalars()
    return first, last, this


def date_back(scene: Scene, count: int = 2) -> None:
    """Date all entries of a scene some months back, as a superuser can."""
    scene.session.execute(text("SET LOCAL session_replication_role = replica"))
    shift = (
        "UPDATE ledger.transfer SET at = at - make_interval(months => :count) WHERE workspace_id = :workspace"
    )
    scene.session.execute(text(shift), {"count": count, "workspace": scene.workspace})
    scene.session.execute(text("SET LOCAL session_replication_role = origin"))


def closes_months_one_after_the_other(scene: Scene) -> None:
    key, (first, last, this) = scene.key(scene.workspace), months(scene.session)
    date_back(scene)
    writer.reserve(scene.session, scene.workspace, scene.budget, cents(100), "order:2")

    refuses_to_close(scene, last, key, MonthNotNextError, f"{first:%Y-%m}")
    assert writer.close_month(scene.session, scene.workspace, first, key)
    assert not writer.close_month(scene.session, scene.workspace, first, key)
    assert balances(scene, first) == [(0, -1000), (0, 600), (0, 400)]
    refuses_to_close(scene, this, key, MonthNotOverError, f"{this:%Y-%m} is not over")
    assert writer.close_month(scene.session, scene.workspace, last, key)
    assert balances(scene, last) == [(-1000, -1000), (600, 600), (400, 400)]
    refuses_to_close(scene, this, key, MonthNotOverError, f"{this:%Y-%m} is not over")


def closes_months_of_each_workspace(scene: Scene) -> None:
    first, last, _ = months(scene.session)
    elsewhere = create_workspace(scene.session, str(uuid4())).id
    own, other = scene.key(scene.workspace), scene.key(elsewhere)
    with pytest.raises(MonthNotNextError, match="no month is due"), scene.session.begin_nested():
        writer.close_month(scene.session, elsewhere, first, other)
    open_budget(scene.session, elsewhere, "theirs", 5)
    date_back(Scene(scene.session, elsewhere, scene.budget, None), 1)
    date_back(scene)

    assert writer.close_month(scene.session, scene.workspace, first, own)
    assert writer.close_month(scene.session, elsewhere, last, other)
    rows = text("SELECT count(*) FROM ledger.month_balance WHERE workspace_id = :workspace")
    assert scene.session.execute(rows, {"workspace": elsewhere}).scalar_one() == 2
    assert writer.close_month(scene.session, scene.workspace, last, own)


def posts_nothing_in_a_closed_month(scene: Scene) -> None:
    """Close this month, as if the clock had been set back afterwards."""
    key, (_, _, this) = scene.key(scene.workspace), months(scene.session)
    elsewhere = create_workspace(scene.session, str(uuid4())).id
    close = "INSERT INTO ledger.closed_month VALUES (:workspace, :month, 1, :key, now())"
    values = {"workspace": scene.workspace, "month": this, "key": key}
    scene.session.execute(text(close), values)

    with pytest.raises(MonthClosedError, match="Set the clock right"), scene.session.begin_nested():
        writer.reserve(scene.session, scene.workspace, scene.budget, cents(1), "order:2")
    open_budget(scene.session, elsewhere, "theirs", 5)


def refuses_to_close(scene: Scene, month: date, key: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said), scene.session.begin_nested():
        writer.close_month(scene.session, scene.workspace, month, key)


def balances(scene: Scene, month: date) -> list[tuple[int, int]]:
    """Return opening and closing balance of each account in the order in which they were made."""
    query = text("""
        SELECT opening, closing FROM ledger.month_balance
        WHERE workspace_id = :workspace AND month = :month ORDER BY account_id
    """)
    found = scene.session.execute(query, {"workspace": scene.workspace, "month": month}).all()
    return [(opening, closing) for opening, closing in found]
