"""Many requests that hang, and a stranger who is served all the same."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from fastapi.testclient import TestClient

from service.access.repository import create_key, create_workspace
from service.database.engine import Database
from tests.support.waiting import eventually

TIMES = 20
"""Requests that are sent, for each that a workspace may compute at once."""


class Crowd:
    """Requests of one workspace whose computation hangs until the crowd is let go."""

    def __init__(self, client: TestClient, database: Database, each: int) -> None:
        self._client, self._each = client, each
        self._release, self._hanging = threading.Event(), list[int]()
        with database.sessions.begin() as session:
            self._stranger = create_key(session, create_workspace(session, "stranger"), "theirs")

    def hang(self) -> None:
        """Wait in the place of a computation."""
        self._hanging.append(1)
        assert self._release.wait(120)

    def statuses(self, send: Callable[[int], int]) -> set[int]:
        """Send the requests, see that no more hang than may and a stranger is served, and let them go."""
        with ThreadPoolExecutor(TIMES * self._each) as pool:
            sent = [pool.submit(send, number) for number in range(TIMES * self._each)]
            try:
                eventually(lambda: len(self._hanging) == self._each)
                answer = self._client.get(
                    "/v1/budgets", headers={"Authorization": f"Bearer {self._stranger}"}
                )
                assert len(self._hanging) == self._each
            finally:
                self._release.set()
        assert answer.status_code == 200
        return {one.result() for one in sent}
