"""The query parameters that choose plans of a list."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import aliased

from models.tasks import Task
from service.access.caller import CallerDep
from service.database.engine import Database, DatabaseDep
from service.ledger.tags import split_tag
from service.plans.naming import plan_holds
from service.plans.tables import Plan, PlanNaming, Scene
from service.pricing.tables import PriceList
from service.web.days import DaysDep
from service.web.values import SearchText, Sha256, YesOrNo

Conditions = list[ColumnElement[bool]]


def read_plan_filter(  # noqa: PLR0913  (each parameter is a filter)
    days: DaysDep,
    caller: CallerDep,
    database: DatabaseDep,
    task: Annotated[Task | None, Query(description="Purpose of the plan.")] = None,
    price_list: Annotated[
        SearchText | None, Query(max_length=100, description="Price list: its id, or its name.")
    ] = None,
    provider: Annotated[
        SearchText | None,
        Query(max_length=200, description="Provider of the price list, as it is written there."),
    ] = None,
    bundle: Annotated[SearchText | None, Query(max_length=100, description="Name of the bundle.")] = None,
    scene: Annotated[Sha256 | None, Query(description="SHA-256 of the planned file, in hex.")] = None,
    follows: Annotated[
        UUID | None, Query(description="Id of an order: only plans of later rounds made after it.")
    ] = None,
    superseded: Annotated[
        YesOrNo | None, Query(description="`false`: only plans that no newer plan replaces; `true`: others.")
    ] = None,
    name: Annotated[SearchText | None, Query(max_length=200, description="Name of the plan.")] = None,
    external_id: Annotated[
        SearchText | None, Query(max_length=200, description="Id of the plan in a system of yours.")
    ] = None,
    tag: Annotated[
        SearchText | None,
        Query(max_length=201, description="Tag of the plan, as NAME=VALUE.", examples=["team=north"]),
    ] = None,
    q: Annotated[
        SearchText | None,
        Query(
            min_length=1,
            max_length=100,
            description="Text in the id, name, external id, tags, scene, price list or bundle of the plan.",
        ),
    ] = None,
) -> Conditions:
    """Return the conditions of a query of plans; 422 for days in the wrong order and half a tag."""
    conditions = days.hold(Plan.created_at) + _named(name, external_id, tag)
    conditions += [] if q is None else [_holding(database, caller.workspace_id, q)]
    if task is not None:
        conditions.append(Plan.task == task)
    if price_list is not None:
        conditions.append(_priced(_is_list(price_list)))
    if provider is not None:
        conditions.append(_priced(PriceList.provider == provider))
    if bundle is not None:
        conditions.append(Plan.provenance["bundle"]["name"].as_string() == bundle)
    if scene is not None:
        conditions.append(Plan.scene_id.in_(select(Scene.id).where(Scene.sha256 == scene)))
    if follows is not None:
        conditions.append(Plan.follows == follows)
    if superseded is not None:
        newer = aliased(Plan)
        replaced = exists().where(newer.supersedes == Plan.id)
        conditions.append(replaced if superseded else ~replaced)
    return conditions


def _holding(database: Database, workspace_id: UUID, text: str) -> ColumnElement[bool]:
    with database.sessions() as session:
        return plan_holds(session, workspace_id, text)


def _named(name: str | None, external_id: str | None, tag: str | None) -> Conditions:
    found = Conditions()
    if name is not None:
        found.append(Plan.naming.has(PlanNaming.name == name))
    if external_id is not None:
        found.append(Plan.naming.has(PlanNaming.external_id == external_id))
    if tag is not None:
        found.append(Plan.naming.has(PlanNaming.tags.contains(split_tag(tag))))
    return found


def _priced(chosen: ColumnElement[bool]) -> ColumnElement[bool]:
    return Plan.price_list_id.in_(select(PriceList.id).where(chosen))


def _is_list(named: str) -> ColumnElement[bool]:
    try:
        return PriceList.id == UUID(named)
    except ValueError:
        return PriceList.name == named


PlanFilterDep = Annotated[Conditions, Depends(read_plan_filter)]
