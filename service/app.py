"""The web application: it connects settings, database, networks, routes and middleware."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import TypedDict

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from service.access.issuer import Issuer
from service.access.notes import Notes, writing_notes
from service.access.roles import NEEDED, Right, allowed_roles
from service.blobs import clear_spool
from service.bundles.registry import Bundles, open_bundles
from service.classification import work as classification_work
from service.classification.work import Classifying
from service.dashboard.csv_mark import CsvMarkMiddleware
from service.dashboard.new_plan import FORM_BYTES
from service.dashboard.problem_pages import answer_people
from service.database.embedded import keeping_embedded
from service.database.engine import Database, open_database
from service.geotiff import gdal_lock
from service.geotiff.sandbox import sandbox_of
from service.health import Readiness, check_readiness
from service.jobs.running import Office, Perform, Store
from service.jobs.tables import Job
from service.jobs.worker import working
from service.ledger.publishing import publisher_of, publishing_heads
from service.logs import JsonLog
from service.monitoring import showing_state
from service.orders.expiry import expiring_orders
from service.orders.ground import read_ground
from service.plans import planning
from service.plans.ground import GroundReader
from service.plans.planning import Planning, Replanning
from service.plans.prior import PriorReader, Replanner
from service.plans.stored import PlanCounts
from service.reports.kept import KeptFigures
from service.retention.policy import keeping_retention
from service.rounds import planning as later_rounds
from service.rounds.planning import RoundPlanning
from service.rounds.prior import read_prior
from service.rounds.replanning import replan
from service.routes import ROUTERS, checked_routes
from service.settings import Settings
from service.truth.imports import MOST_BYTES as TRUTH_BYTES
from service.version import code_version
from service.web.access_log import AccessLogMiddleware
from service.web.body_memory import BodyQueues
from service.web.compression import CompressionMiddleware
from service.web.description import DESCRIPTION, TAGS
from service.web.digests import DigestMiddleware
from service.web.hosts import HostsMiddleware
from service.web.limits import LimitsMiddleware, Quotas
from service.web.middleware import BodyCapMiddleware, BodyLimit, EnvelopeMiddleware
from service.web.openapi import DocumentedApp
from service.web.problems import install_problem_handlers
from service.web.request_metrics import MetricsMiddleware
from service.web.sharing import Shared
from service.web.turns import Turns
from service.web.unchanged import UnchangedMiddleware

logger = logging.getLogger(__name__)


class State(TypedDict):
    """Values that a request finds in `request.state`."""

    settings: Settings
    database: Database
    bundles: Bundles
    blobs: Path
    read_ground: GroundReader
    read_prior: PriorReader
    replan: Replanner
    readiness: Shared[Readiness]
    sandbox: dict[str, bool]
    turns: Turns
    bodies: BodyQueues
    draining: Event
    notes: Notes
    figures: KeptFigures
    counts: PlanCounts
    issuer: Issuer | None


def create_app(
    settings: Settings | None = None, held: Bundles | None = None, log: JsonLog | None = None
) -> FastAPI:
    """Build the application. It opens nothing before it starts; bundles that are `held` need no opening.

    Each request gets a line in `log`.
    """
    settings = settings or Settings()
    app = DocumentedApp(
        title="Loupe",
        version=code_version(),
        description=DESCRIPTION,
        openapi_tags=TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan_of(settings, held),
        # service.web.reference has these: the framework's pages load scripts from elsewhere, and its document
        # takes any query.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.router.routes.extend(checked_routes().routes)
    app.roles = {
        name: [*map(str, allowed_roles(right))] for name, right in NEEDED.items() if right != Right.VIEW
    }
    app.state.operations = [route for router in ROUTERS for route in router.routes]
    install_problem_handlers(app, answer_people)
    app.add_middleware(CsvMarkMiddleware)
    app.add_middleware(DigestMiddleware)
    app.add_middleware(BodyCapMiddleware, limits=body_limits(settings), default=settings.body_limit)
    app.add_middleware(LimitsMiddleware, quotas=Quotas.of(settings), shows_key=("authorization", "cookie"))
    app.add_middleware(HostsMiddleware, trusted=settings.trusted_hosts)
    app.add_middleware(UnchangedMiddleware)
    app.add_middleware(CompressionMiddleware)
    app.add_middleware(EnvelopeMiddleware)
    app.add_middleware(MetricsMiddleware, uploads=body_limits(settings))
    if log is not None:
        app.add_middleware(AccessLogMiddleware, log=log)
    return app


def body_limits(settings: Settings) -> list[BodyLimit]:
    """Return the limits of the requests that carry imagery or labels of many tiles."""
    return [
        BodyLimit.of("POST", "/v1/plans", settings.scene_body_limit),
        BodyLimit.of("POST", "/dashboard/plans/new", settings.scene_body_limit + FORM_BYTES),
        BodyLimit.of("PUT", r"/v1/orders/[^/]+/tiles/[^/]+/patches/[^/]+", settings.patch_body_limit),
        BodyLimit.of("PUT", r"/v1/orders/[^/]+/deliveries", settings.delivery_limit, spooled=True),
        BodyLimit.of("PUT", r"/v1/orders/[^/]+/truth", TRUTH_BYTES),
        BodyLimit.of("POST", r"/dashboard/orders/[^/]+/files", settings.delivery_limit, spooled=True),
    ]


def lifespan_of(
    settings: Settings, held: Bundles | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[State]]:
    """Return the lifespan that opens database and networks at the start and closes them at the end."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
        gdal_lock.assert_locked()
        state = await run_in_threadpool(open_state, settings, held)
        everything = state["database"].of_all()
        try:
            async with (
                keeping_embedded(settings.state) if settings.database_url is None else nullcontext(),
                expiring_orders(everything, settings.expiry_seconds),
                publishing_heads(everything, publisher_of(settings), settings.heads_seconds),
                writing_notes(everything, state["notes"]),
                keeping_retention(everything, settings),
                showing_state(everything, settings),
                working(office_of(state), settings) if settings.worker else nullcontext(),
            ):
                yield state
        finally:
            state["database"].engine.dispose()

    return lifespan


def open_state(settings: Settings, held: Bundles | None) -> State:
    """Connect to the database and open the bundles. A server without a bundle still keeps its books."""
    settings.blobs.mkdir(parents=True, exist_ok=True)
    clear_spool(settings.blobs)
    if held is None:
        held = bundles_of(settings)
    if not held:
        logger.warning(
            "There is no bundle in %s: plans and classifications will answer 503.", settings.bundles
        )
    database, sandbox = open_database(settings), sandbox_of(settings)
    return State(
        settings=settings,
        database=database,
        bundles=held,
        blobs=settings.blobs,
        read_ground=read_ground,
        read_prior=read_prior,
        replan=replan,
        readiness=Shared(
            partial(check_readiness, settings, database, sandbox, has_bundle=bool(held)),
        ),
        sandbox=sandbox,
        turns=Turns.of(settings),
        bodies=BodyQueues.of(settings),
        draining=Event(),
        notes=Notes(),
        figures=KeptFigures(),
        counts=PlanCounts(),
        issuer=Issuer.opened(settings),
    )


def office_of(state: State) -> Office:
    """Return what a worker runs jobs with: a function for each kind."""
    database, bundles, settings, blobs = (
        state["database"].of_all(), state["bundles"], state["settings"], state["blobs"]
    )  # fmt: skip
    read_ground, quote_days = state["read_ground"], settings.quote_days
    scenes = Planning(
        database=database,
        bundles=bundles,
        settings=settings,
        blobs=blobs,
        read_ground=read_ground,
        read_prior=state["read_prior"],
    )
    again = Replanning(
        database=database,
        bundles=bundles,
        quote_days=quote_days,
        read_ground=read_ground,
        replanner=state["replan"],
    )
    rounds = RoundPlanning(database=database, bundles=bundles, quote_days=quote_days, read_ground=read_ground)
    labels = Classifying(database=database, bundles=bundles, settings=settings, blobs=blobs)
    kinds: dict[str, Perform] = {
        planning.PLAN: _in_its_workspace(scenes),
        planning.REPLAN: _in_its_workspace(again),
        later_rounds.KIND: _in_its_workspace(rounds),
        classification_work.KIND: _in_its_workspace(labels),
    }
    return Office(database=database, blobs=blobs, kinds=kinds, stopping=state["draining"])


def _in_its_workspace(work: Planning | Replanning | RoundPlanning | Classifying) -> Perform:
    """Let the work of a job see the rows of the job's workspace only."""

    def perform(job: Job, upload: bytes) -> Store:
        return replace(work, database=work.database.of(job.workspace_id)).perform(job, upload)

    return perform


def bundles_of(settings: Settings) -> Bundles:
    """Open the bundles that the settings name. UnavailableError when one of them cannot be used."""
    return open_bundles(
        settings.bundles, settings.default_bundle, settings.device, settings.threads, settings.bundle_sha256
    )
