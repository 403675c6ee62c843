"""Both clients on a played server."""

from collections.abc import Callable
from typing import Any

import pytest

from loupe import Retries
from loupe.exchange import Steps
from tests.support.played_api import PlayedApi, run_async, run_blocking


@pytest.fixture(params=[run_blocking, run_async], ids=["blocking", "awaited"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Perform an operation against a played server, with either client; its pauses take no time."""

    def performed(
        played: PlayedApi, operation: Callable[[], Steps[Any]], retries: Retries | None = None
    ) -> Any:
        return request.param(played, operation, retries or Retries(), monkeypatch)

    return performed
