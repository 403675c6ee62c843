"""The work of classifying an order, within a request or as a job."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.bundles.registry import Bundles
from service.classification.labelling import OrderToLabel, label_order, read_order
from service.classification.repository import keep_classification
from service.classification.schemas import ClassificationIn
from service.classification.tables import Classification
from service.database.engine import Database
from service.jobs.answering import TooLongError
from service.jobs.repository import JobRequest
from service.jobs.running import Store
from service.jobs.tables import Job
from service.settings import Settings

KIND = "classification"


@dataclass(frozen=True, kw_only=True)
class Classifying:
    """The parts of the server with which an order is classified."""

    database: Database
    bundles: Bundles
    settings: Settings
    blobs: Path

    def classify(
        self, workspace_id: UUID, order_id: UUID, wanted: ClassificationIn, most_tiles: int | None = None
    ) -> Classification:
        """Label the tiles of an order; return a row that is not stored.

        Errors: TooLongError for more than `most_tiles`, and those of `read_order` and `label_order`.
        """
        asked = self._read(workspace_id, order_id, wanted)
        if most_tiles is not None and asked.plan.tiles > most_tiles:
            raise TooLongError
        return label_order(self.database, asked, self.blobs, self.settings)

    def to_job(self, caller: Caller, order_id: UUID, wanted: ClassificationIn) -> JobRequest:
        """Describe the work as a job, after everything that is refused by what the database holds."""
        self._read(caller.workspace_id, order_id, wanted)
        return JobRequest(
            kind=KIND, request={"order": str(order_id), "options": wanted.model_dump(mode="json")}
        )

    def perform(self, job: Job, _upload: bytes) -> Store:
        """Classify the order of a job."""
        wanted = ClassificationIn.model_validate(job.request["options"])
        made = self.classify(job.workspace_id, UUID(job.request["order"]), wanted)

        def store(session: Session) -> Mapping[str, str]:
            return {"classification": str(keep_classification(session, made).id)}

        return store

    def _read(self, workspace_id: UUID, order_id: UUID, wanted: ClassificationIn) -> OrderToLabel:
        with self.database.sessions() as session:
            return read_order(
                session, workspace_id, order_id, self.bundles, allow_partial=wanted.allow_partial
            )
