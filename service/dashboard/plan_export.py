"""The plans that the filters of the list choose, as a file."""

from collections.abc import Sequence
from decimal import Decimal

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from service.dashboard.exports import csv_parts, every, json_parts, streamed
from service.dashboard.plan_list import PlanFiltersDep
from service.dashboard.rendering import Kind
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import DatabaseDep
from service.plans.repository import page_of_plans
from service.plans.schemas import PlanSummary
from service.web.paging import Cursor, PageRequest
from service.web.tabular import Columns

router = APIRouter(prefix=PATH, include_in_schema=False)
PLAN_COLUMNS: Columns = {
    "id": "text", "created_at": "time", "decision": "text", "patches_bought": "integer",
    "patches": "integer", "currency": "text", "cost": "money", "baseline": "money", "list_saving": "money",
    "billable_saving": "money", "reuse_saving": "money", "area_km2": "text", "billable_km2": "text",
    "bundle": "text", "price_list": "text", "price_list_version": "integer", "input_sha256": "text",
    "task": "text", "objects": "text", "expected_objects": "text", "expected_in_bought": "text",
    "share_in_bought": "text", "name": "text", "external_id": "text", "tags": "tags", "expires_at": "time",
    "supersedes": "text", "follows": "text", "acquired_on": "text", "patches_filled": "integer",
    "utility_unit": "text", "objective": "tags", "licence": "text", "warnings": "text",
}  # fmt: skip
"""`objective` is JSON, as `tags` are; `warnings` are their codes. New columns stand at the end."""


@router.get("/plans.{kind}", name="plans_file")
def plans(visitor: VisitorDep, database: DatabaseDep, kind: Kind, filters: PlanFiltersDep) -> Response:
    """Send every plan that the filters choose, in CSV with amounts in major units."""
    with database.sessions() as session:
        conditions = filters.conditions(session, visitor.workspace_id)

    def read(session: Session, page: PageRequest) -> tuple[Sequence[PlanSummary], Cursor | None]:
        rows, following = page_of_plans(session, visitor.workspace_id, page, conditions)
        return [PlanSummary.summarise(plan, scene) for plan, scene in rows], following

    items = every(database, read)
    if kind == "csv":
        return streamed("plans.csv", csv_parts(PLAN_COLUMNS, map(_row, items)))
    return streamed("plans.json", json_parts(items))


def _row(plan: PlanSummary) -> Sequence[object]:
    bundle, prices = plan.provenance["bundle"], plan.provenance["price_list"]
    money = (plan.cost, plan.baseline, plan.savings.list, plan.savings.billable)
    return (
        str(plan.id), plan.created_at, plan.decision, plan.patches.bought, plan.patches.total,
        plan.cost.currency, *(Decimal(one.amount) for one in money),
        Decimal(plan.reuse.saved.amount) if plan.reuse else None, plan.area_km2, plan.billable_km2,
        bundle["sha256"], prices["name"], prices["version"], plan.provenance["input_sha256"],
        plan.task, *_objects(plan), plan.name, plan.external_id, plan.tags, plan.expires_at,
        plan.supersedes, plan.follows, plan.scene.acquired_on, plan.patches.filled,
        plan.utility_unit, plan.objective, plan.licence, "; ".join(one.code for one in plan.warnings),
    )  # fmt: skip


def _objects(plan: PlanSummary) -> Sequence[object]:
    """Return the objects that a plan expects; empty cells for a bundle that counts nothing."""
    objects = plan.objects
    if objects is None:
        return [None] * 4
    return objects.name, objects.scene.expected, objects.in_bought, objects.share
