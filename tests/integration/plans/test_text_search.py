"""Plans by any text that they hold: the index finds what a look at every plan finds."""

import hashlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import false, func, select
from sqlalchemy.orm import Session

from service.access.repository import create_workspace
from service.database.engine import Database, connect
from service.plans import naming
from service.plans.naming import holds_text, plan_holds
from service.plans.tables import Plan, PlanNaming
from service.settings import Settings
from tests.support.bundles import tiny_provenance
from tests.support.databases import KEY
from tests.support.ordering import plan_scene, publish_prices
from tests.support.orders import make_plan
from tests.support.planner import plan_for_many_rows

NAMES: tuple[dict[str, Any], ...] = (
    {"name": "Häfen, Mai 100%", "external_id": "GIS_2041", "tags": {"team": 'north "b"', "site": "a=b"}},
    {"name": None, "external_id": "gis-77\\x", "tags": {}},
)


def provenance_of(number: int) -> dict[str, Any]:
    """Return the provenance of a plan; the third is of a bundle of its own."""
    bundle = {"name": "Tanks", "version": "1"} if number == 2 else tiny_provenance()["bundle"]
    digest = hashlib.sha256(bytes([number])).hexdigest()
    prices = {"id": str(uuid4()), "name": "Acme Größe", "version": 1, "example": False}
    return tiny_provenance() | {"bundle": bundle, "price_list": prices, "input_sha256": digest}


@pytest.fixture
def plans(database: Database, workspace_id: UUID, settings: Settings) -> list[Plan]:
    """Store three plans: two with names, and one of another bundle without."""
    with database.sessions.begin() as session:
        made = [
            make_plan(session, workspace_id, settings.blobs, seed=seed, provenance=provenance_of(seed)).id
            for seed in range(3)
        ]
        for plan_id, names in zip(made, NAMES, strict=False):
            session.add(PlanNaming(plan_id=plan_id, workspace_id=workspace_id, **names))
        return [session.get_one(Plan, plan_id) for plan_id in made]


@pytest.fixture
def served(serving_url: str, workspace_id: UUID, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """Open a session of the serving role in which no text counts as frequent."""
    monkeypatch.setattr(naming, "LOOKED_AT", 1)
    monkeypatch.setattr(naming, "OFTEN", 2)
    database = connect(serving_url)
    with database.of(workspace_id).sessions() as session:
        yield session
    database.engine.dispose()


def texts_of(plan: Plan) -> list[str]:
    """Return texts of a plan, parts of them, and what resembles them."""
    named = plan.naming
    given = [] if named is None else [named.name, named.external_id, *named.tags, *named.tags.values()]
    own = [plan.provenance["price_list"]["name"], plan.provenance["bundle"]["name"]]
    whole = [str(plan.id), plan.provenance["input_sha256"], *own, *filter(None, given)]
    parts = [one[start : start + length] for one in whole for start in (0, 3, 7) for length in (1, 2, 3, 6)]
    return [*filter(None, whole + parts), *(one.upper() for one in whole), *(f"{one}x" for one in whole)]


def test_index_finds_the_plans_that_hold_a_text(
    served: Session, workspace_id: UUID, plans: list[Plan]
) -> None:
    texts = {text for plan in plans for text in texts_of(plan)} | {
        "zebra", "%", "_", "\\", '"', "ü", "ÄF", "--", "\n", "no such plan", ": ", "4",
    }  # fmt: skip
    numbers = set()
    for wanted in sorted(texts):
        found = set(served.scalars(select(Plan.id).where(plan_holds(served, workspace_id, wanted))))
        assert found == set(served.scalars(select(Plan.id).where(holds_text(wanted)))), wanted
        numbers.add(len(found))
    assert numbers == {0, 1, 2, 3}


def test_index_names_plans_of_the_workspace_up_to_a_number(
    served: Session, database: Database, workspace_id: UUID, plans: list[Plan], settings: Settings
) -> None:
    with database.sessions.begin() as session:
        other = create_workspace(session, "other").id
        foreign = make_plan(session, other, settings.blobs, seed=5, provenance=provenance_of(0)).id
    name = plans[0].provenance["bundle"]["name"]

    def named(wanted: str, most: int = 9, workspace: UUID = workspace_id) -> list[UUID]:
        return list(served.scalars(select(func.ledger.plans_holding(workspace, wanted, most))))

    assert set(named(name)) == {plan.id for plan in plans if plan.provenance["bundle"]["name"] == name}
    assert len(named(name, most=1)) == 1
    assert named(str(foreign)) == named("zebra") == []
    assert named(name, workspace=other) == [foreign]


def test_frequent_text_is_looked_for_without_the_index(
    served: Session, workspace_id: UUID, plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "MOST_FOUND", 1)
    name = plans[0].provenance["price_list"]["name"]
    by_index = str(plan_holds(served, workspace_id, name))

    assert by_index == str(holds_text(name))
    assert plan_holds(served, workspace_id, str(uuid4())).compare(false())


def test_search_is_an_index_scan(database: Database, plans: list[Plan]) -> None:
    assert plans
    query = """SELECT id FROM plan
        WHERE ledger.grams_of_plan(id, provenance) @> ledger.grams('zebra', 3)"""
    lines = plan_for_many_rows(database, query, {}, role="loupe_owner")
    assert any("ix_plan_grams" in line for line in lines), lines


def test_list_and_page_find_a_changed_name(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "LOOKED_AT", 1)
    monkeypatch.setattr(naming, "OFTEN", 2)
    publish_prices(client)
    plan = str(plan_scene(client, name="Harbour").id)
    plan_scene(client)
    assert client.patch(f"/v1/plans/{plan}", json={"name": "Renamed quay"}).is_success

    assert [one["id"] for one in client.get("/v1/plans?q=NAMED q").json()["items"]] == [plan]
    assert client.get("/v1/plans?q=harbour").json()["items"] == []
    client.post("/dashboard/login", data={"key": KEY, "to": "/dashboard"})
    assert plan in client.get("/dashboard/plans?text=NAMED q").text
    assert plan not in client.get("/dashboard/plans?text=harbour").text
