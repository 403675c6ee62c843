"""The landing page `/`, and the state of the server: `/healthz` and `/readyz`."""

import platform
import shutil
from typing import Any, cast

import pyproj
import torch
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from service.bundles.card import identify
from service.bundles.registry import Bundles
from service.database.engine import Database, is_migrated
from service.database.roles import excess_privileges
from service.geotiff.sandbox import missing_layers, sandbox_warnings
from service.settings import Settings, SettingsDep
from service.version import code_version
from service.web.paging import Link

router = APIRouter(tags=["service"])
FREE_BYTES_WANTED = 512 * 1024 * 1024
"""Free disk space in bytes below which the server is not ready: a delivery could fill the disk."""


@router.get("/", summary="Show the service and its links")
def landing(settings: SettingsDep) -> dict[str, Any]:
    """Return the name, version and limits of the service, and links to its lists and documents."""
    links = [
        Link(rel="service-desc", href="/openapi.json", type="application/vnd.oai.openapi+json;version=3.1"),
        Link(rel="service-doc", href="/docs", type="text/html"),
        Link(rel="dashboard", href="/dashboard", type="text/html"),
        Link(rel="plans", href="/v1/plans", title="POST a low-resolution GeoTIFF here"),
        Link(rel="price-lists", href="/v1/price-lists"),
        Link(rel="budgets", href="/v1/budgets"),
        Link(rel="orders", href="/v1/orders"),
        Link(rel="ledger", href="/v1/ledger"),
        Link(rel="bundles", href="/v1/bundles"),
        Link(rel="keys", href="/v1/keys"),
        Link(rel="savings", href="/v1/reports/savings"),
        Link(rel="spend", href="/v1/reports/spend"),
        Link(rel="status", href="/readyz"),
    ]
    return {
        "title": "Loupe",
        "description": "Decides which high-resolution patches are worth buying, and records every dollar.",
        "version": code_version(),
        "limits": {"scene_bytes": settings.scene_body_limit, "patch_bytes": settings.patch_body_limit},
        "links": [link.model_dump(exclude_none=True) for link in links],
    }


@router.get("/healthz", summary="Check that the process is alive")
def healthz(request: Request) -> dict[str, Any]:
    """Return the versions, the device, the default bundle and the number of bundles of the process.

    It asks neither the database nor the disk: a slow database must not make an orchestrator end the process.
    """
    import rasterio  # noqa: PLC0415  (not before service.geotiff has locked GDAL)

    bundles = cast(Bundles, request.state.bundles)
    return {
        "status": "alive",
        "versions": {
            "loupe": code_version(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "rasterio": rasterio.__version__,
            "gdal": rasterio.__gdal_version__,
            "proj": pyproj.__proj_version__,
        },
        "device": str(bundles.default.device) if bundles else None,
        "bundle": identify(bundles.default) if bundles else None,
        "bundles": len(bundles),
    }


@router.get("/readyz", summary="Check that the service is ready")
def readyz(request: Request) -> JSONResponse:
    """Check every part that a request needs. The answer is 503 while one of them is missing."""
    settings = cast(Settings, request.state.settings)
    database = cast(Database, request.state.database)
    reachable, migrated = _database(database)
    warnings = _role_warnings(database, settings) if reachable else []
    sandbox = cast(dict[str, bool], request.state.sandbox)
    checks = {
        "database": reachable,
        "migrations": migrated,
        "role": not warnings or settings.role_check == "warn",
        "bundle": bool(request.state.bundles),
        "gdal": request.state.gdal_locked,
        "sandbox": settings.sandbox == "prefer" or not missing_layers(sandbox),
        "disk": shutil.disk_usage(settings.state).free > FREE_BYTES_WANTED,
    }
    ready = all(checks.values())
    body = {
        "status": "ready" if ready else "not ready",
        "checks": checks,
        "sandbox": sandbox,
        "warnings": [*warnings, *sandbox_warnings(sandbox)],
    }
    return JSONResponse(body, 200 if ready else 503, headers={} if ready else {"Retry-After": "5"})


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
