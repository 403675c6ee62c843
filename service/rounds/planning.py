"""The work of planning a later round, within a request or as a job."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.bundles.registry import Bundles
from service.database.engine import Database
from service.jobs.repository import JobRequest
from service.jobs.running import Store
from service.jobs.tables import Job
from service.plans.ground import GroundReader
from service.plans.planning import given
from service.plans.repository import keep_plan
from service.plans.tables import Plan, Scene
from service.rounds.making import OrderToFollow, make_round, read_order
from service.rounds.schemas import NextRoundIn

KIND = "next-round"


@dataclass(frozen=True, kw_only=True)
class RoundPlanning:
    """The parts of the server with which a later round is planned."""

    database: Database
    bundles: Bundles
    quote_days: int
    read_ground: GroundReader

    def plan(self, workspace_id: UUID, order_id: UUID, wanted: NextRoundIn) -> tuple[Plan, Scene]:
        """Choose what else to buy after an order; return the plan's row, not stored, and its scene.

        Errors: those of `read_order` and `make_round`.
        """
        followed = self._read(workspace_id, order_id, wanted)
        return make_round(self.database, followed, self.quote_days), followed.scene

    def to_job(self, caller: Caller, order_id: UUID, wanted: NextRoundIn) -> JobRequest:
        """Describe the work as a job, after everything that is refused by what the database holds."""
        self._read(caller.workspace_id, order_id, wanted)
        return JobRequest(kind=KIND, request={"order": str(order_id), "options": given(wanted)})

    def perform(self, job: Job, _upload: bytes) -> Store:
        """Plan the round of a job."""
        wanted = NextRoundIn.model_validate(job.request["options"])
        new, _ = self.plan(job.workspace_id, UUID(job.request["order"]), wanted)

        def store(session: Session) -> Mapping[str, str]:
            return {"plan": str(keep_plan(session, new).id)}

        return store

    def _read(self, workspace_id: UUID, order_id: UUID, wanted: NextRoundIn) -> OrderToFollow:
        with self.database.sessions.begin() as session:
            return read_order(session, workspace_id, order_id, wanted, self.bundles, self.read_ground)
