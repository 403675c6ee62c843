"""Steps of tests of attempts at jobs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from service.bundles import classifying
from service.progress import advance
from service.settings import Settings
from service.stopping import checkpoint
from tests.support.waiting import eventually

Json = dict[str, Any]


def shown(client: TestClient, job_id: UUID) -> Json:
    answer: Json = client.get(f"/v1/jobs/{job_id}").json()
    return answer


def uploads(settings: Settings) -> list[Path]:
    return list((settings.blobs / "jobs").glob("*-*"))


def after_tiles(monkeypatch: pytest.MonkeyPatch, tiles: int, act: Callable[[], None]) -> None:
    """Call `act` once the networks have seen some tiles of a scene."""

    def advance_and_act(done: int, total: int) -> None:
        advance(done, total)
        if done == tiles and not acted:
            acted.append(done)
            act()

    acted: list[int] = []
    monkeypatch.setattr(classifying, "advance", advance_and_act)


def until_stopped() -> None:
    """Wait until this computation is stopped, by raising the reason."""

    def look() -> bool:
        checkpoint()
        return False

    eventually(look)
