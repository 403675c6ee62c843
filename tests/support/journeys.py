"""Requests that are watched: what each computes, and whether it holds a database connection meanwhile."""

from collections import defaultdict
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from tests.support.connections import checked_out
from tests.support.watching import watch_computing

Operation = tuple[str, str]
"""Method and path of a route."""


class Journey:
    """Every operation of the API, called once, with what it computed and the connections held meanwhile."""

    def __init__(self, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client = client
        self.computed: dict[Operation, set[str]] = defaultdict(set)
        self.held: list[tuple[Operation, str, int]] = []
        self.called: set[Operation] = set()
        self._now: Operation = ("", "")
        watch_computing(monkeypatch, self._enter)

    def _enter(self, name: str) -> None:
        self.computed[self._now].add(name)
        if connections := checked_out(self.client.app_state["database"]):
            self.held.append((self._now, name, connections))

    def call(self, method: str, path: str, ids: dict[str, Any] | None = None, **request: Any) -> Any:
        self._now = method, path
        self.called.add(self._now)
        answer = self.client.request(method, path.format(**(ids or {})), **request)
        assert answer.status_code < 400, (method, path, answer.text)
        return answer

    def make(self, path: str, ids: dict[str, Any] | None = None, **body: Any) -> Any:
        """POST JSON under a key and return the answer's JSON."""
        return self.call("POST", path, ids, json=body, headers={"Idempotency-Key": str(uuid4())}).json()
