"""Is it alive, is it ready, and what is running: `/healthz`, `/readyz` and the landing page `/`."""

import platform
import shutil
from typing import Any, cast

import pyproj
import torch
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from service.bundles.predictor import Predictor
from service.database.engine import Database, is_migrated
from service.database.roles import excess_privileges
from service.settings import Settings, SettingsDep
from service.version import code_version
from service.web.paging import Link

router = APIRouter(tags=["service"])
FREE_BYTES_WANTED = 512 * 1024 * 1024
"""Below this a delivery could fill the disk, so the server asks for no more traffic."""


@router.get("/")
def landing(settings: SettingsDep) -> dict[str, Any]:
    """What this is and where to go on."""
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
        Link(rel="savings", href="/v1/reports/savings"),
        Link(rel="spend", href="/v1/reports/spend"),
        Link(rel="status", href="/readyz"),
    ]
    return {
        "title": "Loupe",
        "description": "Decides which high-resolution patches are worth buying; accounts for every dollar.",
        "version": code_version(),
        "limits": {"scene_bytes": settings.scene_body_limit, "patch_bytes": settings.patch_body_limit},
        "links": [link.model_dump(exclude_none=True) for link in links],
    }


@router.get("/healthz")
def healthz(request: Request) -> dict[str, Any]:
    """The process is alive; says what it runs. It asks nobody else, so a slow database kills no pod."""
    import rasterio  # noqa: PLC0415  (not before service.geotiff has locked GDAL)

    predictor = cast(Predictor | None, request.state.predictor)
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
        "device": str(predictor.device) if predictor else None,
        "bundle": _bundle(predictor),
    }


def _bundle(predictor: Predictor | None) -> dict[str, str] | None:
    if predictor is None:
        return None
    manifest = predictor.manifest
    return {"name": manifest.name, "version": manifest.version, "sha256": predictor.sha256}


@router.get("/readyz")
def readyz(request: Request) -> JSONResponse:
    """Every part that a request needs, checked; 503 when one is not there."""
    settings = cast(Settings, request.state.settings)
    database = cast(Database, request.state.database)
    reachable, migrated = _database(database)
    doubts = _doubts(database, settings) if reachable else []
    checks = {
        "database": reachable,
        "migrations": migrated,
        "role": not doubts or settings.role_check == "warn",
        "bundle": request.state.predictor is not None,
        "gdal": request.state.gdal_locked,
        "disk": shutil.disk_usage(settings.state).free > FREE_BYTES_WANTED,
    }
    ready = all(checks.values())
    body = {"status": "ready" if ready else "not ready", "checks": checks, "warnings": doubts}
    return JSONResponse(body, 200 if ready else 503, headers={} if ready else {"Retry-After": "5"})


def _doubts(database: Database, settings: Settings) -> list[str]:
    """How the role that serves could get round the ledger, unless nobody wants to know."""
    if settings.role_check == "off":
        return []
    return [
        f"the database's role can get round the ledger: {way}" for way in excess_privileges(database.engine)
    ]


def _database(database: Database) -> tuple[bool, bool]:
    """Whether the database answers, and whether its schema is the newest."""
    try:
        return True, is_migrated(database)
    except SQLAlchemyError:
        return False, False
