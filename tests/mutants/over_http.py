"""Mutants sent to a real server: rasters as scenes, archives as deliveries to an order."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from loupe import Money
from tests.mutants.judging import ACCEPTED, REFUSALS, Read
from tests.mutants.mutating import Mutant
from tests.support.bundles import make_geotiff
from tests.support.server import KEY, ServerProcess, running_server


@contextmanager
def reading_over_http(bundle: Path) -> Iterator[Read]:
    """Start a server whose quotas do not end the run, and yield what sends a mutant to it."""
    with running_server(bundle, LOUPE_REQUESTS_PER_KEY="1000000000") as server, sending(server) as read:
        yield read


@contextmanager
def sending(server: ServerProcess) -> Iterator[Read]:
    """Yield what sends a mutant to a server and returns ACCEPTED or the code of the refusal."""
    with server.client() as client:
        budget = client.create_budget("mutants", Money.of("1000.00", "USD")).document
        order = client.order(client.plan(make_geotiff(), max_patches=2).document["id"], budget["id"]).document
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=120, trust_env=False) as http:

        def read(one: Mutant) -> str:
            method, path, kind = "POST", "/v1/plans", "image/tiff"
            if one.is_archive:
                method, path, kind = "PUT", f"/v1/orders/{order['id']}/deliveries", "application/zip"
            answer = http.request(method, path, content=one.body, headers={"Content-Type": kind})
            if answer.is_success:
                return ACCEPTED
            if answer.status_code not in REFUSALS:
                raise ValueError(f"{answer.status_code} {answer.text}")
            return str(answer.json()["type"]).removeprefix("/problems/")

        yield read
