"""The operations of the HTTP API, as its OpenAPI document lists them."""

import re
from functools import cache
from pathlib import Path

from service.app import create_app
from tests.support.bundles import make_settings

NOBODY = "00000000-0000-0000-0000-000000000000"
"""An id that nothing has."""
PLACES = {"{tile}": "0", "{patch}": "0"}


@cache
def templates() -> dict[str, tuple[str, str]]:
    """Return method and path of every operation under /v1, by its id."""
    paths = create_app(make_settings(Path("/nowhere"))).openapi()["paths"]
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in paths.items()
        if path.startswith("/v1/")
        for method, operation in methods.items()
    }


def named_operations() -> dict[str, tuple[str, str]]:
    """Return method and path, with NOBODY's id filled in, of every operation under /v1, by its id."""
    return {
        name: (method, re.sub(r"{\w+}", lambda found: PLACES.get(found[0], NOBODY), path))
        for name, (method, path) in templates().items()
    }


def versioned_operations() -> list[tuple[str, str]]:
    """Return every method and path under /v1, with NOBODY's id filled in."""
    return list(named_operations().values())
