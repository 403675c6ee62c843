"""The list of plans on the dashboard: its filters, its pages, and the standings of plans."""

import re
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from service.dashboard.standing import PlanStanding, stands
from service.database.engine import Database
from service.plans.tables import Plan
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.dashboard import path_of_plan, read_page, sign_in
from tests.support.ordering import open_budget, place, plan_scene
from tests.support.orders import Planned
from tests.support.planner import outside_subplans, plan_for_many_rows


def test_list_shows_plans_and_narrows_them_by_the_address(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    open_budget(client)
    ordered = plan_scene(client, make_geotiff(make_pixels(seed=3)), max_patches=2)
    assert place(client, ordered).status_code == 201
    sign_in(browser)

    everything = read_page(browser, "/dashboard/plans")
    assert (path_of_plan(planned) in everything, path_of_plan(ordered) in everything) == (True, True)
    assert "3 of 96" in everything
    for query, shown in (
        ("standing=ordered", ordered), ("standing=open", planned), (f"text={str(planned.id)[:8]}", planned),
    ):  # fmt: skip
        page = read_page(browser, f"/dashboard/plans?{query}&first_day=&last_day=")
        assert re.findall(r'href="/dashboard/plans/([0-9a-f-]{36})"', page) == [str(shown.id)]
    assert "No plan fits these filters." in read_page(browser, "/dashboard/plans?last_day=2001-01-01")
    assert "No plan fits these filters." in read_page(browser, "/dashboard/plans?text=100%25")


def test_list_of_a_standing_has_the_plans_that_show_it(
    client: TestClient, browser: TestClient, planned: Planned
) -> None:
    open_budget(client)
    ordered = plan_scene(client, make_geotiff(make_pixels(seed=3)), max_patches=2)
    place(client, ordered)
    empty = plan_scene(client, make_geotiff(make_pixels(seed=4)), max_patches=0)
    old = plan_scene(client, make_geotiff(make_pixels(seed=5)))
    newer = client.post(f"/v1/plans/{old.id}/replan", json={"max_patches": 2}).json()["id"]
    sign_in(browser)

    expected = {"ordered": [ordered.id], "replaced": [old.id], "empty": [empty.id], "expired": []}
    for standing, plans in (expected | {"open": [newer, planned.id]}).items():
        page = read_page(browser, f"/dashboard/plans?standing={standing}")
        shown = re.findall(r'href="/dashboard/plans/([0-9a-f-]{36})"', page)
        assert shown == [str(plan) for plan in plans], standing


@pytest.mark.parametrize(
    ("standing", "index"),
    [
        (PlanStanding.ORDERED, "uq_order_plan_open"),
        (PlanStanding.REPLACED, "ix_plan_supersedes"),
        (PlanStanding.EMPTY, "ix_plan_buys_nothing"),
    ],
)
def test_standings_that_few_plans_have_are_found_in_indexes_by_the_role_that_serves(
    client: TestClient,
    database: Database,
    workspace_id: UUID,
    planned: Planned,
    standing: PlanStanding,
    index: str,
) -> None:
    assert place(client, planned, budget=open_budget(client)).status_code == 201
    query = select(Plan.id).where(Plan.workspace_id == workspace_id, stands(standing))
    page = query.order_by(Plan.created_at.desc()).limit(26)
    written = page.compile(database.engine, compile_kwargs={"literal_binds": True})
    plan = plan_for_many_rows(database, str(written), {"workspace": workspace_id})

    assert any("Index" in line and index in line for line in outside_subplans(plan)), plan


@pytest.mark.parametrize("query", ["standing=sold", "first_day=yesterday", "cursor=x", "surprise=1"])
def test_list_refuses_a_filter_that_it_cannot_read(browser: TestClient, query: str) -> None:
    sign_in(browser)
    assert browser.get(f"/dashboard/plans?{query}").status_code == 422


def test_list_continues_on_older_pages_with_the_same_filter(
    client: TestClient, browser: TestClient, planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.dashboard.plan_list.ROWS", 1)
    newer = plan_scene(client, max_patches=2)
    sign_in(browser)
    first = read_page(browser, "/dashboard/plans?standing=open")
    (following,) = re.findall(r'href="([^"]+)" rel="next"', first)
    second = read_page(browser, following)

    assert "standing=open" in following
    assert (path_of_plan(newer) in first, path_of_plan(planned) in first) == (True, False)
    assert (path_of_plan(newer) in second, path_of_plan(planned) in second) == (False, True)
    assert 'rel="next"' not in second
