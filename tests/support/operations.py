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
def versioned_operations() -> list[tuple[str, str]]:
    """Return every method and path under /v1, with NOBODY's id filled in."""
    paths = create_app(make_settings(Path("/nowhere"))).openapi()["paths"]
    return [
        (method.upper(), re.sub(r"{\w+}", lambda name: PLACES.get(name[0], NOBODY), path))
        for path, methods in paths.items()
        if path.startswith("/v1/")
        for method in methods
    ]
