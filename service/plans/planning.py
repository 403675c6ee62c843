"""The work of planning and re-planning, within a request or as a job."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel
from sqlalchemy.orm import Session

from service import blobs as storage
from service.access.repository import Caller
from service.bundles.registry import Bundles, BundlesDep
from service.database.engine import Database, DatabaseDep
from service.jobs.repository import JobRequest
from service.jobs.running import Store
from service.jobs.tables import Job
from service.plans import inputs, making, repository
from service.plans.ground import GroundDep, GroundReader
from service.plans.inputs import PlanInputs
from service.plans.options import PlanOptions, ReplanIn
from service.plans.pixels import check_stored, files_of
from service.plans.prior import PriorDep, PriorReader, Replanner, ReplannerDep
from service.plans.reading import judge_scene
from service.plans.tables import Plan, Scene
from service.pricing.repository import resolve_price_list
from service.settings import BlobsDep, Settings, SettingsDep
from service.stopping import checkpoint

PLAN, REPLAN = "plan", "replan"
"""Kinds of jobs."""


@dataclass(frozen=True, kw_only=True)
class Planning:
    """The parts of the server with which a scene is planned."""

    database: Database
    bundles: Bundles
    settings: Settings
    blobs: Path
    read_ground: GroundReader
    read_prior: PriorReader

    def plan(
        self, workspace_id: UUID, body: bytes, options: PlanOptions, most_tiles: int | None = None
    ) -> tuple[Plan, Scene]:
        """Read a scene and choose what to buy of it; return rows that are not stored, and keep its files.

        Errors: TooLongError for a scene of more than `most_tiles`, and those of `judge_scene`,
        `find_inputs` and storing files.
        """
        predictor = self.bundles.named(options.bundle)
        judged = judge_scene(body, options, predictor, self.settings, most_tiles)
        with self.database.sessions.begin() as session:
            found = inputs.find_inputs(
                session, workspace_id, judged.scene, options, predictor.manifest, self.read_ground
            )
        prior = self.read_prior(self.database, judged.scene, judged.values, found, predictor)
        checkpoint()
        plan = making.decide_plan(judged, found, self.settings.quote_days, prior)
        plan.naming = options.naming(workspace_id)
        checkpoint()
        folder = storage.folder_of(self.blobs, workspace_id)
        storage.put(folder, body)
        storage.put(folder, judged.pixels)
        return plan, judged.scene

    def to_job(self, caller: Caller, options: PlanOptions) -> JobRequest:
        """Describe the work as a job, after what is quickly refused: bundle, task and price list."""
        options.task_of(self.bundles.named(options.bundle).manifest)
        with self.database.sessions() as session:
            resolve_price_list(session, caller.workspace_id, options.price_list)
        return JobRequest(kind=PLAN, request=given(options))

    def perform(self, job: Job, upload: bytes) -> Store:
        """Plan the scene of a job."""
        made = self.plan(job.workspace_id, upload, PlanOptions.model_validate(job.request))

        def store(session: Session) -> Mapping[str, str]:
            plan, scene = making.store_plan(session, *made)
            check_stored(session, self.blobs, job.workspace_id, files_of(scene))
            return {"plan": str(plan.id)}

        return store


@dataclass(frozen=True, kw_only=True)
class Replanning:
    """The parts of the server with which a planned scene is planned again."""

    database: Database
    bundles: Bundles
    quote_days: int
    read_ground: GroundReader
    replanner: Replanner

    def replan(self, workspace_id: UUID, plan_id: UUID, wanted: ReplanIn) -> tuple[Plan, Plan, Scene]:
        """Choose again what to buy of a plan's scene; return it, the new plan, not stored, and the scene.

        Errors: not-found, and those of `find_new_inputs` and of the replanner.
        """
        old, scene, found = self._read(workspace_id, plan_id, wanted)
        return old, self.replanner(self.database, old, scene, found, self.bundles, self.quote_days), scene

    def to_job(self, caller: Caller, plan_id: UUID, wanted: ReplanIn) -> JobRequest:
        """Describe the work as a job, after everything that is refused by what the database holds."""
        self._read(caller.workspace_id, plan_id, wanted)
        return JobRequest(kind=REPLAN, request={"plan": str(plan_id), "options": given(wanted)})

    def perform(self, job: Job, _upload: bytes) -> Store:
        """Plan the scene of a job's plan again."""
        wanted = ReplanIn.model_validate(job.request["options"])
        old, new, _ = self.replan(job.workspace_id, UUID(job.request["plan"]), wanted)

        def store(session: Session) -> Mapping[str, str]:
            return {"plan": str(making.store_replan(session, new, old).id)}

        return store

    def _read(self, workspace_id: UUID, plan_id: UUID, wanted: ReplanIn) -> tuple[Plan, Scene, PlanInputs]:
        with self.database.sessions.begin() as session:
            old, scene = repository.find_plan(session, workspace_id, plan_id)
            found = inputs.find_new_inputs(session, old, scene, wanted, self.bundles, self.read_ground)
        return old, scene, found


def get_planning(
    database: DatabaseDep,
    bundles: BundlesDep,
    settings: SettingsDep,
    blobs: BlobsDep,
    read_ground: GroundDep,
    read_prior: PriorDep,
) -> Planning:
    """Return what this application plans with."""
    return Planning(
        database=database,
        bundles=bundles,
        settings=settings,
        blobs=blobs,
        read_ground=read_ground,
        read_prior=read_prior,
    )


def get_replanning(
    database: DatabaseDep,
    bundles: BundlesDep,
    settings: SettingsDep,
    read_ground: GroundDep,
    replanner: ReplannerDep,
) -> Replanning:
    """Return what this application plans again with."""
    return Replanning(
        database=database,
        bundles=bundles,
        quote_days=settings.quote_days,
        read_ground=read_ground,
        replanner=replanner,
    )


PlanningDep = Annotated[Planning, Depends(get_planning)]
ReplanningDep = Annotated[Replanning, Depends(get_replanning)]


def given(options: BaseModel) -> dict[str, Any]:
    """Return the options that a request gave, as a job keeps them."""
    return options.model_dump(mode="json", by_alias=True, exclude_unset=True)
