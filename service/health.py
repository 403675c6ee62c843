"""The landing page `/`, and the state of the server: `/healthz`, `/readyz`, `/v1/versions`."""

import platform
import shutil
from threading import Event
from typing import Any, Literal, cast

import pyproj
import torch
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError

from service.access.caller import CallerDep
from service.bundles.card import identify
from service.bundles.registry import Bundles
from service.database.engine import Database, is_migrated
from service.database.roles import excess_privileges
from service.geotiff.sandbox import missing_layers, sandbox_warnings
from service.settings import Settings, SettingsDep
from service.version import code_version
from service.web.openapi import problems
from service.web.paging import Link
from service.web.sharing import Shared


class VersionsOut(BaseModel):
    """Versions and bundles of a running server."""

    versions: dict[str, str] = Field(description="Version of the service and of each library that it uses.")
    device: str | None = Field(description="Device of the networks; null without a bundle.", examples=["cpu"])
    bundle: dict[str, str] | None = Field(description="Bundle of plans that name none; null without one.")
    bundles: int = Field(description="Number of bundles that are served.")


class LandingOut(BaseModel):
    """The service, and where to go from here."""

    title: str = Field(description="Name of the service.")
    description: str = Field(description="Sentence about the service.")
    limits: dict[str, int] = Field(description="Most bytes of a scene and of a patch.")
    links: list[Link] = Field(description="Links to lists and documents.")


class AliveOut(BaseModel):
    """A process that answers."""

    status: Literal["alive"] = Field(description="State of the process.")


class ReadinessOut(BaseModel):
    """The state of every part that a request needs."""

    status: Literal["ready", "not ready"] = Field(description="Whether every part is there.")
    checks: dict[str, bool] = Field(description="Whether each part is there.")
    sandbox: dict[str, bool] = Field(description="Whether each layer around the reading of files holds.")
    warnings: list[str] = Field(description="Sentences about what protects less than it could.")


router = APIRouter(tags=["service"])
versions_router = APIRouter(tags=["service"])
"""Routes for those who have a key."""
Readiness = tuple[dict[str, bool], dict[str, Any]]
"""Checks, and what else the answer says."""
FREE_BYTES_WANTED = 512 * 1024 * 1024
"""Free disk space in bytes below which the server is not ready: a delivery could fill the disk."""


@router.get("/", summary="Show the service and its links")
def landing(settings: SettingsDep) -> LandingOut:
    """Return the name and limits of the service, and links to its lists and documents."""
    links = [
        Link(rel="service-desc", href="/openapi.json", type="application/vnd.oai.openapi+json;version=3.1"),
        Link(rel="service-doc", href="/docs", type="text/html"),
        Link(rel="problems", href="/problems", title="Every kind of error, and what to do about it"),
        Link(rel="dashboard", href="/dashboard", type="text/html"),
        Link(rel="plans", href="/v1/plans", title="POST a low-resolution GeoTIFF here"),
        Link(rel="price-lists", href="/v1/price-lists"),
        Link(rel="budgets", href="/v1/budgets"),
        Link(rel="orders", href="/v1/orders"),
        Link(rel="jobs", href="/v1/jobs"),
        Link(rel="ledger", href="/v1/ledger"),
        Link(rel="bundles", href="/v1/bundles"),
        Link(rel="keys", href="/v1/keys"),
        Link(rel="savings", href="/v1/reports/savings"),
        Link(rel="spend", href="/v1/reports/spend"),
        Link(rel="status", href="/readyz"),
        Link(rel="versions", href="/v1/versions"),
    ]
    return LandingOut(
        title="Loupe",
        description="Decides which high-resolution patches are worth buying, and records every dollar.",
        limits={"scene_bytes": settings.scene_body_limit, "patch_bytes": settings.patch_body_limit},
        links=links,
    )


@router.get("/healthz", summary="Check that the process is alive")
async def healthz() -> AliveOut:
    """Say that the process answers. Strangers learn nothing more.

    It asks neither the database nor the disk, and needs no thread: whatever the process is busy with must not
    make an orchestrator end it.
    """
    return AliveOut(status="alive")


@versions_router.get("/v1/versions", summary="Show what the server runs", responses=problems(401))
def get_versions(request: Request, _caller: CallerDep) -> VersionsOut:
    """Return the versions of the service and its libraries, the device, and the bundles that are served."""
    import rasterio  # noqa: PLC0415  (not before service.geotiff has locked GDAL)

    bundles = cast(Bundles, request.state.bundles)
    return VersionsOut(
        versions={
            "loupe": code_version(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "rasterio": rasterio.__version__,
            "gdal": rasterio.__gdal_version__,
            "proj": pyproj.__proj_version__,
        },
        device=str(bundles.default.device) if bundles else None,
        bundle=identify(bundles.default) if bundles else None,
        bundles=len(bundles),
    )


@router.get(
    "/readyz",
    summary="Check that the service is ready",
    response_model=ReadinessOut,
    responses={
        503: {
            "description": "A part is missing. The document is that of 200, with `status` `not ready`.",
            "model": ReadinessOut,
        }
    },
)
async def readyz(request: Request) -> JSONResponse:
    """Check every part that a request needs. The answer is 503 while one of them is missing.

    Strangers may ask as often as they like, so there is one check at a time, and its answer is shared.
    """
    checks, details = await cast(Shared[Readiness], request.state.readiness).get()
    checks = checks | {"accepting": not cast(Event, request.state.draining).is_set()}
    ready = all(checks.values())
    body = {"status": "ready" if ready else "not ready", "checks": checks, **details}
    return JSONResponse(body, 200 if ready else 503, headers={} if ready else {"Retry-After": "5"})


def check_readiness(
    settings: Settings, database: Database, sandbox: dict[str, bool], *, has_bundle: bool
) -> Readiness:
    """Check the parts that can fail while the server runs."""
    reachable, migrated = _database(database)
    warnings = _role_warnings(database, settings) if reachable else []
    checks = {
        "database": reachable,
        "migrations": migrated,
        "role": not warnings or settings.role_check == "warn",
        "bundle": has_bundle,
        "gdal": True,  # asserted at the start
        "sandbox": settings.sandbox == "prefer" or not missing_layers(sandbox),
        "disk": shutil.disk_usage(settings.state).free > FREE_BYTES_WANTED,
    }
    return checks, {"sandbox": sandbox, "warnings": [*warnings, *sandbox_warnings(sandbox)]}


def _role_warnings(database: Database, settings: Settings) -> list[str]:
    """Return how the serving role could bypass the ledger; nothing if the check is off."""
    if settings.role_check == "off":
        return []
    return [
        f"The database's role can bypass the ledger: {way}." for way in excess_privileges(database.engine)
    ]


def _database(database: Database) -> tuple[bool, bool]:
    """Return whether the database answers, and whether its schema is the newest."""
    try:
        return True, is_migrated(database)
    except SQLAlchemyError:
        return False, False
