"""The web application: it connects settings, database, networks, routes and middleware."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypedDict

from anyio import Semaphore
from fastapi import Depends, FastAPI
from fastapi.concurrency import run_in_threadpool

from service.access.routes import router as keys
from service.blobs import clear_spool
from service.bundles.registry import Bundles, open_bundles
from service.bundles.routes import router as bundles
from service.classification.routes import router as classification
from service.dashboard.routes import router as dashboard
from service.database.engine import Database, open_database
from service.deliveries.routes import router as deliveries
from service.geotiff import gdal_lock
from service.geotiff.sandbox import sandbox_of
from service.health import router as health
from service.invoices.routes import router as invoices
from service.ledger.close_routes import router as closes
from service.ledger.proposal_routes import router as proposals
from service.ledger.publishing import publisher_of, publishing_heads
from service.ledger.routes import router as ledger
from service.orders.expiry import expire_before_writing, expiring_orders
from service.orders.ground import read_ground
from service.orders.routes import router as orders
from service.plans.ground import GroundReader
from service.plans.prior import PriorReader, Replanner
from service.plans.routes import router as plans
from service.pricing.routes import router as pricing
from service.reports.routes import router as reports
from service.rounds.prior import read_prior
from service.rounds.replanning import replan
from service.rounds.routes import router as rounds
from service.settings import Settings
from service.truth.imports import MOST_BYTES as TRUTH_BYTES
from service.truth.routes import router as truth
from service.version import code_version
from service.web.middleware import BodyCapMiddleware, BodyLimit, EnvelopeMiddleware
from service.web.openapi import DocumentedApp, operation_id
from service.web.parameters import check_parameters
from service.web.problems import install_problem_handlers
from service.web.reference import router as reference
from service.web.turns import COMPUTING_AT_ONCE, LARGE_AT_ONCE

logger = logging.getLogger(__name__)

DESCRIPTION = """
Send a free low-resolution GeoTIFF. Loupe tells you which of the sixteen high-resolution patches of each tile
are worth buying and what they really cost. Upload the patches that you bought, and get labels for the scene
and a ledger of every dollar spent and saved.

    curl --data-binary @scene.tif -H 'Content-Type: image/tiff' -H 'Authorization: Bearer KEY' \\
        http://localhost:8000/v1/plans

Errors are RFC 9457 problem documents. A query parameter that an address does not know, and anything that is
given twice, is refused with 422. Lists come in pages; follow the link `next`. Money is a decimal string and a
currency.
"""


class State(TypedDict):
    """Values that a request finds in `request.state`."""

    settings: Settings
    database: Database
    bundles: Bundles
    blobs: Path
    read_ground: GroundReader
    read_prior: PriorReader
    replan: Replanner
    gdal_locked: bool
    sandbox: dict[str, bool]
    turns: Semaphore
    large_turns: Semaphore


def create_app(settings: Settings | None = None, held: Bundles | None = None) -> FastAPI:
    """Build the application. It opens nothing before it starts; bundles that are `held` need no opening."""
    settings = settings or Settings()
    app = DocumentedApp(
        title="Loupe",
        version=code_version(),
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan_of(settings, held),
        # service.web.reference has these: the framework's pages load scripts from elsewhere, and its document
        # takes any query.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(check_parameters)],
        generate_unique_id_function=operation_id,
    )
    domains = (
        pricing, plans, bundles, orders, deliveries, classification, rounds, truth, invoices, reports,
        keys, dashboard,
    )  # fmt: skip
    for router in (health, reference, *domains):
        app.include_router(router)
    for router in (closes, ledger, proposals):
        app.include_router(router, dependencies=[Depends(expire_before_writing)])
    routers = (health, reference, *domains, closes, ledger, proposals)
    app.state.operations = [route for router in routers for route in router.routes]
    install_problem_handlers(app)
    app.add_middleware(BodyCapMiddleware, limits=body_limits(settings), default=settings.body_limit)
    app.add_middleware(EnvelopeMiddleware)
    return app


def body_limits(settings: Settings) -> list[BodyLimit]:
    """Return the limits of the requests that carry imagery or labels of many tiles."""
    return [
        BodyLimit.of("POST", "/v1/plans", settings.scene_body_limit),
        BodyLimit.of("PUT", r"/v1/orders/[^/]+/tiles/[^/]+/patches/[^/]+", settings.patch_body_limit),
        BodyLimit.of("PUT", r"/v1/orders/[^/]+/deliveries", settings.delivery_limit),
        BodyLimit.of("PUT", r"/v1/orders/[^/]+/truth", TRUTH_BYTES),
    ]


def lifespan_of(
    settings: Settings, held: Bundles | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[State]]:
    """Return the lifespan that opens database and networks at the start and closes them at the end."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
        gdal_lock.assert_locked()
        state = await run_in_threadpool(open_state, settings, held)
        try:
            async with (
                expiring_orders(state["database"], settings.expiry_seconds),
                publishing_heads(state["database"], publisher_of(settings), settings.heads_seconds),
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
    return State(
        settings=settings,
        database=open_database(settings),
        bundles=held,
        blobs=settings.blobs,
        read_ground=read_ground,
        read_prior=read_prior,
        replan=replan,
        gdal_locked=True,  # asserted before
        sandbox=sandbox_of(settings),
        turns=Semaphore(COMPUTING_AT_ONCE),
        large_turns=Semaphore(LARGE_AT_ONCE),
    )


def bundles_of(settings: Settings) -> Bundles:
    """Open the bundles that the settings name. UnavailableError when one of them cannot be used."""
    return open_bundles(settings.bundles, settings.default_bundle, settings.device, settings.threads)
