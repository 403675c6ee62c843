"""Run the command line against a fake server whose answers the test sets."""

from collections.abc import Callable
from typing import Any

import httpx
from typer.testing import CliRunner, Result

from service.cli import app
from tests.support.bundles import usd

PLAN_ID = "0b6f1c1e-7a77-4a9e-9b1c-1f3f6f6b2a10"
ORDER_ID = "7d9f0a52-3a1c-4bb5-8a0e-2a7f3f1f9c11"
BUDGET_ID = "c1a5e7a0-1111-4222-8333-444455556666"

ORDER = {
    "id": ORDER_ID,
    "plan": PLAN_ID,
    "status": "accepted",
    "amounts": {"total": usd("0.25"), "held": usd("0.25"), "settled": usd("0.00"), "released": usd("0.00")},
    "counts": {"bought": 3, "delivered": 0, "awaited": 3},
}
PLAN = {"id": PLAN_ID, "patches": {"bought": 3, "total": 16}, "cost": usd("0.25")}
BUDGET = {"id": BUDGET_ID, "version": 1, "name": "harvest", "limit": usd("5.00"), "available": usd("5.00")}

Answer = tuple[int, Any] | Callable[[httpx.Request], httpx.Response]


class PlayedServer:
    """A fake server that answers the given routes and records every request."""

    def __init__(self) -> None:
        self.routes: dict[str, Answer] = {}
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.routes[f"{request.method} {request.url.path}"]
        return answer(request) if callable(answer) else httpx.Response(answer[0], json=answer[1])

    def lists(self, path: str, *items: Any) -> None:
        self.routes[f"GET {path}"] = (200, {"items": list(items), "links": []})


def loupe(*words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=typed)
