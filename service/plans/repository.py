"""Plans and their scenes in the database. Rows are only ever added."""

import json
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, inspect, select, tuple_
from sqlalchemy.orm import Session, defer

from service.errors import NotFoundError
from service.plans.tables import Plan, Scene
from service.pricing.repository import find_price_list
from service.pricing.tables import PriceList
from service.web.paging import Cursor, PageRequest, fetch_page

ARRAYS = (
    Plan.utilities,
    Plan.expected,
    Plan.first_expected,
    Plan.readings,
    Plan.selected,
    Plan.filled,
    Plan.valid_share,
    Plan.ground,
)
"""Columns that a list of plans leaves in the database."""


def keep_scenes(session: Session, workspace_id: UUID, scenes: Sequence[Scene]) -> list[Scene]:
    """Return for each scene the workspace's row with pixels for its bytes and reading; add those without one.

    Two of the given scenes may be the same one; the first of them is then added.
    """
    query = select(Scene).where(
        Scene.workspace_id == workspace_id,
        tuple_(Scene.sha256, Scene.reading).in_([(scene.sha256, scene.reading) for scene in scenes]),
        Scene.pixels_deleted_at.is_(None),
    )
    by_sha256: dict[str, list[Scene]] = {}
    for scene in session.scalars(query.order_by(Scene.created_at, Scene.id)):
        by_sha256.setdefault(scene.sha256, []).append(scene)
    kept = [_like(scene, by_sha256.setdefault(scene.sha256, [])) for scene in scenes]
    for new in kept:
        new.workspace_id = workspace_id
    session.add_all(kept)
    session.flush()
    return kept


def _like(scene: Scene, known: list[Scene]) -> Scene:
    """Return the first known scene with the same reading; make `scene` known without one."""
    reading = json.loads(json.dumps(scene.reading))  # as the database returns it
    for one in known:
        if one.reading == reading:
            return one
    known.append(scene)
    return scene


def keep_plan(session: Session, plan: Plan) -> Plan:
    """Store a new plan; return it with the database's times."""
    (kept,) = keep_plans(session, [plan])
    return kept


def keep_plans(session: Session, plans: Sequence[Plan]) -> list[Plan]:
    """Store new plans; return them with the database's times."""
    session.add_all(plans)
    session.flush()
    for plan in plans:
        if {"created_at", "expires_at"} & inspect(plan).expired_attributes:
            session.refresh(plan, ["created_at", "expires_at"])
    return list(plans)


def lock_plan(session: Session, workspace_id: UUID, plan_id: UUID) -> Plan:
    """Return the plan, locked: ordering and superseding it take turns. NotFoundError otherwise."""
    query = select(Plan).where(Plan.id == plan_id, Plan.workspace_id == workspace_id)
    # NO KEY UPDATE: a new order's own foreign key to the plan must still pass in other sessions.
    plan = session.scalars(query.with_for_update(key_share=True)).one_or_none()
    if plan is None:
        raise NotFoundError(f"There is no plan {plan_id}.", plan=str(plan_id))
    return plan


def superseding(session: Session, plan_id: UUID) -> UUID | None:
    """Return the newest plan that supersedes this one, if any does."""
    query = select(Plan.id).where(Plan.supersedes == plan_id).order_by(Plan.created_at.desc(), Plan.id.desc())
    return session.scalars(query.limit(1)).one_or_none()


def find_plan(session: Session, workspace_id: UUID, plan_id: UUID) -> tuple[Plan, Scene]:
    """Return a plan of the workspace with its scene; NotFoundError otherwise."""
    query = select(Plan).where(Plan.id == plan_id, Plan.workspace_id == workspace_id)
    plan = session.scalars(query).one_or_none()
    if plan is None:
        raise NotFoundError(f"There is no plan {plan_id}.", plan=str(plan_id))
    return plan, session.get_one(Scene, plan.scene_id)


def find_priced_plan(session: Session, workspace_id: UUID, plan_id: UUID) -> tuple[Plan, Scene, PriceList]:
    """Return a plan of the workspace with its scene and price list; NotFoundError otherwise."""
    plan, scene = find_plan(session, workspace_id, plan_id)
    return plan, scene, find_price_list(session, workspace_id, plan.price_list_id)


def page_of_plans(
    session: Session,
    workspace_id: UUID,
    page: PageRequest,
    chosen: Sequence[ColumnElement[bool]] = (),
) -> tuple[list[tuple[Plan, Scene]], Cursor | None]:
    """Return one page of the workspace's plans that meet the conditions, newest first, without arrays."""
    query = select(Plan).where(Plan.workspace_id == workspace_id, *chosen)
    plans, following = fetch_page(session, query.options(*map(defer, ARRAYS)), Plan, page)
    scenes = _scenes(session, [plan.scene_id for plan in plans])
    return [(plan, scenes[plan.scene_id]) for plan in plans], following


def _scenes(session: Session, ids: Sequence[UUID]) -> dict[UUID, Scene]:
    return {scene.id: scene for scene in session.scalars(select(Scene).where(Scene.id.in_(ids)))}
