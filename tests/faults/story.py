"""A client that buys patches of one scene and insists: it sends each request until it is answered."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from tests.support.bundles import TILE_M, UTM_32N, usd
from tests.support.known_scene import KnownScene
from tests.support.server import KEY, make_mosaic

PATIENCE_S = 150.0
"""Most seconds that a client insists; a restart of the server takes some ten."""
TIMEOUT_S = 60.0
RETRIED = {409: {"idempotency-key-in-flight"}, 503: None, 429: None}
"""Problems after which the same request is sent again, as the documentation says; None: whatever the code."""

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request that may be sent any number of times."""

    method: str
    path: str
    options: Json
    expected: tuple[int, ...] = (200, 201, 202)


@dataclass
class Record:
    """What happened to one client: answers by request, and what should not have happened."""

    answers: dict[str, tuple[Request, bytes]] = field(default_factory=dict)  # of requests with a key
    counts: Counter[str] = field(default_factory=Counter)
    against: list[str] = field(default_factory=list)
    order: str | None = None
    paid: int = 0  # patches whose delivery was acknowledged


class Story:
    """One client with a scene, a budget, a plan and an order of its own, all chosen by a seed."""

    def __init__(self, seed: int, url: Callable[[], str]) -> None:
        self.record = Record()
        self._name, self._url, self._chance = f"story-{seed}", url, random.Random(seed)
        whole = make_mosaic()
        # A scene of its own on the ground, so that no story owns what another has bought.
        self._scene = KnownScene(whole.pixels, TILE_M, UTM_32N, 500_000 + 1_000 * (seed % 200), 5_300_000)
        self._acquired = seed

    def run(self) -> None:
        """Live through the whole job; what contradicts a promise is in `record.against`."""
        budget = self._keyed("budget", "/v1/budgets", json={"name": self._name, "limit": usd("100.00")})
        plan = self._plan()
        order = self._keyed("order", "/v1/orders", json={"plan": plan, "budget": budget["id"]})
        self.record.order = order["id"]
        complete = self._deliver(order)
        if not complete:
            self._insist(
                Request(method="POST", path=f"/v1/orders/{order['id']}/cancel", options={"headers": {}})
            )
        labels = f"/v1/orders/{order['id']}/classification"
        self._keyed("labels", labels, json={"allow_partial": True})

    def _plan(self) -> str:
        """Plan the scene, at once or as a job that is followed to its end; return the plan's id."""
        as_job = self._chance.random() < 0.5
        answer = self._keyed(
            "plan",
            "/v1/plans",
            content=self._scene.scene(8),
            headers={"Content-Type": "image/tiff"} | ({"Prefer": "respond-async"} if as_job else {}),
            params={"max_patches": self._chance.randint(2, 4)},
        )
        if not as_job:
            return str(answer["id"])
        deadline = time.monotonic() + PATIENCE_S
        while (job := self._job(answer["id"]))["status"] in ("queued", "running"):
            assert time.monotonic() < deadline, f"{self._name}: the job is still {job['status']}"
            time.sleep(0.2)
        assert job["status"] == "succeeded", (
            f"{self._name}: the job has {job['status']}: {job.get('problem')}"
        )
        return str(job["result"]["plan"])

    def _job(self, job_id: str) -> Json:
        request = Request(method="GET", path=f"/v1/jobs/{job_id}", options={"headers": {}})
        job: Json = self._insist(request).json()
        return job

    def _deliver(self, order: Json) -> bool:
        """Deliver patches, some twice, some as the picture of another place, and some never."""
        complete = True
        for place in order["patches"]["awaited"]:
            tile, patch = place["tile"], place["patch"]
            path = f"/v1/orders/{order['id']}/tiles/{tile}/patches/{patch}"
            turn = self._chance.random()
            if turn < 0.15:
                self._put(path, tile, (patch + 5) % 16, expected=(409, 422))
            if turn < 0.3:
                complete = False
                continue
            for _ in range(2 if turn > 0.8 else 1):
                self._put(path, tile, patch)
            self.record.paid += 1
        return complete

    def _put(self, path: str, tile: int, shown: int, expected: tuple[int, ...] = (200, 201)) -> None:
        body = self._scene.patch(tile, shown)
        options = {"content": body, "headers": {"Content-Type": "image/tiff"}}
        self._insist(Request(method="PUT", path=path, options=options, expected=expected))

    def _keyed(self, step: str, path: str, **options: Any) -> Json:
        key = str(UUID(int=self._chance.getrandbits(128)))
        headers = options.pop("headers", {}) | {"Idempotency-Key": f'"{key}"'}
        request = Request(method="POST", path=path, options=options | {"headers": headers})
        answer = self._insist(request)
        self.record.answers[step] = request, answer.content
        document: Json = answer.json()
        return document

    def replay(self) -> None:
        """Send every request that had a key once more: the answer must be the same to the byte."""
        for step, (request, before) in self.record.answers.items():
            if self._insist(request).content != before:
                self.record.against.append(f"{self._name}: the answer to {step} has changed")

    def _insist(self, request: Request) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = self._send(request)
            if answer is not None and not self._is_retried(answer):
                break
            if time.monotonic() > deadline:
                said = "no answer" if answer is None else answer.text[:300]
                raise AssertionError(f"{self._name}: {request.path} got nowhere: {said}")
            time.sleep(0.1)
        self.record.counts["acknowledged"] += 1
        if answer.status_code not in request.expected:
            raise AssertionError(
                f"{self._name}: {request.path} answered {answer.status_code} {answer.text[:300]}"
            )
        return answer

    def _send(self, request: Request) -> httpx.Response | None:
        headers = request.options["headers"] | {"Authorization": f"Bearer {KEY}"}
        try:
            # A connection for each request: a kept one would hide how a new one is received.
            with httpx.Client(base_url=self._url(), timeout=TIMEOUT_S, trust_env=False) as client:
                return client.request(request.method, request.path, **request.options | {"headers": headers})
        except httpx.TransportError:
            self.record.counts["without an answer"] += 1
            return None

    def _is_retried(self, answer: httpx.Response) -> bool:
        if answer.status_code not in RETRIED:
            return False
        codes = RETRIED[answer.status_code]
        again = codes is None or answer.json()["type"].rpartition("/")[2] in codes
        if again:
            self.record.counts[f"answered {answer.status_code}"] += 1
            if answer.status_code != 409 and "Retry-After" not in answer.headers:
                self.record.against.append(f"{self._name}: {answer.status_code} without Retry-After")
        return again
