"""The OpenAPI document, and the page `/docs` of its operations, without scripts or other hosts."""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, Template
from markupsafe import Markup

router = APIRouter(include_in_schema=False)

STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
pre { white-space: pre-wrap; font: inherit; }
code { font-family: ui-monospace, monospace; }
nav ul { list-style: none; padding: 0; }
section { border-top: 1px solid #8888; margin-top: 1.5rem; }
table { border-collapse: collapse; width: 100%; }
caption, th, td { text-align: left; vertical-align: top; padding: 0.2rem 0.6rem 0.2rem 0; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #eee; } a { color: #9cf; } }
"""
DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
# The browser applies only this style and loads nothing.
POLICY = f"default-src 'none'; style-src 'sha256-{DIGEST}'; frame-ancestors 'none'; base-uri 'none'"


@dataclass(frozen=True)
class Operation:
    """One method of one path, as the page shows it."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[dict[str, Any]]
    body: list[str]
    responses: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, method: str, path: str, entry: dict[str, Any]) -> "Operation":
        """Read an operation of an OpenAPI document."""
        return cls(
            id=entry["operationId"],
            method=method.upper(),
            path=path,
            summary=entry.get("summary", ""),
            description=entry.get("description", ""),
            parameters=entry.get("parameters", []),
            body=list(entry.get("requestBody", {}).get("content", {})),
            responses=entry["responses"],
        )


@router.get("/openapi.json")
def show_document(request: Request) -> JSONResponse:
    """Send the OpenAPI document."""
    return JSONResponse(request.app.openapi())


@router.get("/docs")
def show_reference(request: Request) -> HTMLResponse:
    """Show the page."""
    document = request.app.openapi()
    operations = [
        Operation.of(method, path, entry)
        for path, methods in document["paths"].items()
        for method, entry in methods.items()
    ]
    page = template().render(info=document["info"], operations=operations, style=Markup(STYLE))  # noqa: S704  (ours)
    return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})


def template() -> Template:
    """Read the page's template, which escapes every value."""
    environment = Environment(autoescape=True)
    return environment.from_string((Path(__file__).parent / "reference.html").read_text())
