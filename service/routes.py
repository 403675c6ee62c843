"""Every route of the service, with the checks before it."""

from functools import cache

from fastapi import APIRouter, Depends

from service.access.caller import check_role
from service.access.delegation_routes import router as delegations
from service.access.people_routes import router as people
from service.access.routes import router as keys
from service.bundles.routes import router as bundles
from service.classification.routes import router as classification
from service.dashboard.routes import router as dashboard
from service.deliveries.routes import router as deliveries
from service.health import router as health
from service.health import versions_router as versions
from service.invoices.routes import router as invoices
from service.jobs.routes import router as jobs
from service.ledger.close_routes import router as closes
from service.ledger.proposal_routes import router as proposals
from service.ledger.routes import router as ledger
from service.orders.expiry import expire_before_writing
from service.orders.routes import router as orders
from service.orders.storage import check_storage
from service.plans.file_routes import router as plan_files
from service.plans.routes import router as plans
from service.pricing.routes import router as pricing
from service.reports.routes import router as reports
from service.retention.routes import router as retention
from service.rounds.routes import router as rounds
from service.truth.routes import router as truth
from service.web.negotiation import check_accept
from service.web.openapi import operation_id
from service.web.parameters import check_parameters
from service.web.problem_types import router as problem_types
from service.web.reference import router as reference

PUBLIC = health, reference, problem_types, dashboard
"""Routes that check the caller themselves, or need none."""
STORING = plans, rounds, truth
"""Routes that may store, so that they need room."""
DOMAINS = (
    versions, plan_files, pricing, bundles, orders, deliveries, classification, invoices, reports, keys,
    people, delegations, jobs, retention,
)  # fmt: skip
ACCOUNTING = closes, ledger, proposals
"""Routes of the ledger: orders whose time has passed are expired before these write."""
ROUTERS = health, reference, problem_types, *STORING, *DOMAINS, dashboard, *ACCOUNTING


@cache
def checked_routes() -> APIRouter:
    """Return every route with the checks before it.

    The framework compiles routes when they first look for a request's own, which takes a third of a second:
    once a process here, however many applications it builds.
    """
    root = APIRouter(
        dependencies=[Depends(check_parameters), Depends(check_accept)],
        generate_unique_id_function=operation_id,
    )
    for router in PUBLIC:
        root.include_router(router)
    for router in STORING:
        root.include_router(router, dependencies=[Depends(check_role), Depends(check_storage)])
    for router in DOMAINS:
        root.include_router(router, dependencies=[Depends(check_role)])
    for router in ACCOUNTING:
        root.include_router(router, dependencies=[Depends(check_role), Depends(expire_before_writing)])
    return root
