"""The audit of plans: no false alarm on plans of every kind, and a finding for every forged area."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from service.database.engine import Database
from service.plans.audit import audit_plans
from service.plans.bills import recompute
from service.plans.tables import Plan
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.ordering import buy, open_budget, plan_scene, publish_prices
from tests.support.planning import plan

pytestmark = pytest.mark.usefixtures("spread_utilities")
P1, P2, P3 = "P1", "P2", "P3"

LISTS: dict[str, dict[str, Any]] = {
    "by area": {},
    "tiers": {"tiers": [{"above_km2": "0.005", "price_per_km2": "7000"}]},
    "minimum per order": {"minimum_km2": "0.01"},
    "minimum per shape": {"minimum_km2": "0.0012", "minimum_applies_to": "shape"},
    "charge per shape": {"minimum_charge": "9", "areas_summed": False},
    "two patches wide": {"minimum_width_m": "40"},
    "rectangles": {"convex": True, "max_vertices": 4},
    "wider than a tile": {"minimum_width_m": "100"},
}
OBJECTIVES: tuple[dict[str, Any], ...] = (
    {}, {"max_patches": 0}, {"max_patches": 5}, {"max_cost": "60.00"}, {"lambda": "0.05"},
)  # fmt: skip


def found(session: Session) -> set[str]:
    return {one.rule.split()[0] for one in audit_plans(session)}


@pytest.mark.parametrize("terms", LISTS.values(), ids=LISTS)
def test_audit_of_untouched_plans_finds_nothing(
    client: TestClient, database: Database, terms: dict[str, Any]
) -> None:
    """Plans of one tile and of six, of tiles without data, beside owned ground, and made again."""
    publish_prices(client, **terms)
    open_budget(client, "5000.00")
    single, gaps = make_geotiff(make_pixels(height=8, width=8)), make_pixels()
    gaps[:, :8, :8] = 0
    for objective in OBJECTIVES:
        plan(client, single, price_list="acme", **objective)
        made = plan(client, price_list="acme", **objective)
        plan(client, make_geotiff(gaps, nodata=0), price_list="acme", **objective)
        again = client.post(f"/v1/plans/{made['id']}/replan", json={"max_patches": 7})
        assert again.status_code == 201, again.text
    buy(client, plan_scene(client, max_patches=4))
    for objective in OBJECTIVES:
        plan(client, price_list="acme", **objective)
    with database.sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM plan")) == 26
        assert list(audit_plans(session)) == []


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
def test_audit_of_plans_in_other_projections_finds_nothing(
    client: TestClient, database: Database, crs: str
) -> None:
    publish_prices(client, **LISTS["minimum per shape"])
    place: dict[str, Any] = {"west": 9.0, "north": 48.0, "gsd_m": 1e-4} if crs == "EPSG:4326" else {}
    plan(client, make_geotiff(crs=crs, **place), price_list="acme", max_patches=9)
    with database.sessions() as session:
        assert list(audit_plans(session)) == []


def _inflate(plan: Plan, part: str) -> None:
    """Multiply the areas of a part of a bill by ten, and let all money follow."""
    bill = dict(plan.bill)
    billed = bill[part]
    lines = [{name: str(10 * float(one[name])) for name in one} for one in billed["lines"]]
    sums = {name: str(10 * float(billed[name])) for name in ("area_km2", "billable_km2")}
    plan.bill = bill | {part: sums | {"lines": lines}}
    figures = recompute(plan.bill)
    plan.cost_minor, plan.baseline_minor = figures.cost.minor, figures.baseline.minor
    plan.list_saving_minor, plan.billable_saving_minor = (
        figures.list_saving.minor,
        figures.billable_saving.minor,
    )


def _total(plan: Plan) -> None:
    """Change the sum of the areas beside its lines: the list saving reads it."""
    plan.bill = plan.bill | {"everything": plan.bill["everything"] | {"area_km2": "9"}}


def _buy_more(plan: Plan) -> None:
    selected = bytearray(plan.selected)
    selected[plan.selected.index(0)] = 1
    plan.selected = bytes(selected)
    plan.patches_bought += 1


def _empty_tile(plan: Plan) -> None:
    plan.valid_share = bytes(4) + plan.valid_share[4:]


def _no_bill(plan: Plan) -> None:
    plan.bill = {}


FORGED: dict[str, tuple[Callable[[Plan], None], set[str]]] = {
    "areas of what is bought, with the money": (lambda plan: _inflate(plan, "chosen"), {P3}),
    "areas of everything, with the money": (lambda plan: _inflate(plan, "everything"), {P3}),
    "the sum of the areas": (_total, {P3}),
    "another patch": (_buy_more, {P3}),
    "a tile without data": (_empty_tile, {P3}),
    "no bill": (_no_bill, {P1, P3}),
}


@pytest.mark.parametrize("terms", ["by area", "minimum per shape"])
@pytest.mark.parametrize(("forge", "rules"), FORGED.values(), ids=FORGED)
def test_audit_finds_forged_areas(
    client: TestClient, database: Database, terms: str, forge: Callable[[Plan], None], rules: set[str]
) -> None:
    publish_prices(client, **LISTS[terms])
    plan_scene(client)
    with database.sessions() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        forge(session.query(Plan).one())
        session.flush()
        session.expire_all()
        assert found(session) == rules
        session.rollback()


@pytest.mark.parametrize("place", ["{grid,transform,0}", "{grid,columns}", "{grid,crs}"])
def test_audit_finds_a_forged_grid(client: TestClient, database: Database, place: str) -> None:
    """The areas follow no more, whatever else of the scene's row is left as it was."""
    publish_prices(client)
    plan_scene(client)
    value = {"{grid,transform,0}": "20.5", "{grid,columns}": "6", "{grid,crs}": '"EPSG:3857"'}[place]
    with database.sessions() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text(
                "UPDATE scene SET reading = jsonb_set(reading, cast(:place AS text[]), cast(:value AS jsonb))"
            ),
            {"place": place, "value": value},
        )
        assert found(session) == {P3}
        session.rollback()
