"""The OpenAPI document, and the page `/docs` that shows it.

Swagger UI draws the page; its files are those of the installed package `fastapi_offline`. Addresses of files
contain a digest of their bytes, so that browsers keep them for good.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, StrictUndefined, Template

from service.errors import NotFoundError

router = APIRouter(include_in_schema=False)

JAVASCRIPT, STYLE = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""The page runs only files of this server, and talks to no other. Swagger UI's icons are `data:` images."""


@dataclass(frozen=True)
class Asset:
    """A file that the page loads."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """First 12 hex digits of the SHA-256 of the bytes."""
        return hashlib.sha256(self.content).hexdigest()[:12]


@router.get("/openapi.json")
def show_document(request: Request) -> JSONResponse:
    """Send the OpenAPI document."""
    return JSONResponse(request.app.openapi())


@router.get("/docs")
def show_reference(request: Request) -> HTMLResponse:
    """Show the page."""
    page = page_template("reference.html").render(info=request.app.openapi()["info"])
    return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})


@router.get("/docs/assets/{digest}/{name}")
def show_asset(digest: str, name: str) -> Response:
    """Send a file of the page, to be kept for a year."""
    asset = assets().get(name)
    if asset is None or asset.digest != digest:
        raise NotFoundError("The reference has no such file. Load /docs again.", file=name)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(asset.content, media_type=asset.media_type, headers=headers)


@cache
def assets() -> dict[str, Asset]:
    """Return the files of the page by their names."""
    renderer, own = files("fastapi_offline") / "static", _own_files()
    found: tuple[tuple[Traversable, str], ...] = (
        (renderer / "swagger-ui.css", STYLE),
        (renderer / "swagger-ui-bundle.js", JAVASCRIPT),
        (own / "reference.css", STYLE),
        (own / "problems.css", STYLE),
        (own / "reference.js", JAVASCRIPT),
    )
    return {file.name: Asset(file.read_bytes(), media_type) for file, media_type in found}


def _address(name: str) -> str:
    """Return where a page finds a file, relative to the root of the server."""
    return f"docs/assets/{assets()[name].digest}/{name}"


def _own_files() -> Traversable:
    return files("service.web") / "reference_page"


@cache
def page_template(name: str) -> Template:
    """Return a template of this folder, which escapes every value and knows the `address` of each file."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.globals["address"] = _address
    return environment.from_string((_own_files() / name).read_text())
