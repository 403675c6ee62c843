"""Metrics of the real server: scraped on their own port, and compared with the ledger row by row."""

import re
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from service.money import Money
from tests.support.ordering import deliver, open_budget, place, plan_scene, publish_prices
from tests.support.server import KEY, ServerProcess, running_server
from tests.support.waiting import eventually

DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "watch-with-prometheus.md"
LABELS = {"route", "method", "status", "code", "outcome", "bundle", "kind", "currency", "account", "le"}
SOMETIMES = {"loupe_gpu_memory_bytes", "loupe_reservations_open_oldest_timestamp_seconds"}
"""Metrics of a GPU, and of orders that hold money: here every order has ended."""
Sample = tuple[str, tuple[tuple[str, str], ...]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(bundle_folder: Path, port: int) -> Iterator[ServerProcess]:
    with running_server(bundle_folder, LOUPE_METRICS_PORT=str(port)) as server:
        yield server


@pytest.fixture(scope="module")
def traffic(server: ServerProcess) -> list[dict[str, Any]]:
    """Send requests of every kind, and return the rows of the ledger that they left."""
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=120) as plain:
        client = cast(TestClient, plain)
        publish_prices(client)
        budget = open_budget(client)
        plan = plan_scene(client, max_patches=3)
        first = place(client, plan, "the-same-key-twice")
        assert place(client, plan, "the-same-key-twice").json() == first.json()
        order = first.json()["id"]
        for tile, patch in plan.bought[:2]:
            assert deliver(client, order, tile, patch).status_code == 201
        assert deliver(client, order, *plan.bought[2], body=b"no raster").status_code == 415
        headers = {"Idempotency-Key": "cancel-what-is-left"}
        assert client.post(f"/v1/orders/{order}/cancel", json={}, headers=headers).status_code == 200
        assert client.get(f"/v1/budgets/{budget}").status_code == 200
        assert client.get(f"/v1/orders/{budget}").status_code == 404
        assert client.get("/no/such/address").status_code == 404
        assert client.get("/metrics").status_code == 404
        rows: list[dict[str, Any]] = client.get("/v1/ledger", params={"limit": 100}).json()["items"]
    return rows


def scrape(port: int) -> dict[Sample, float]:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counters_equal_the_rows_of_the_ledger(port: int, traffic: list[dict[str, Any]]) -> None:
    seen = scrape(port)
    kinds = Counter(row["kind"] for row in traffic)
    assert {"reserve", "settle", "release"} <= set(kinds)
    for kind, count in kinds.items():
        minor = sum(
            Money.parse(row["amount"]["amount"], "USD").minor for row in traffic if row["kind"] == kind
        )
        labels = (("currency", "USD"), ("kind", kind))
        assert seen["loupe_ledger_transfers_total", labels] == count
        assert seen["loupe_ledger_moved_minor_total", labels] == minor
    for kind in ("reserve", "settle", "release"):
        calls = (("kind", kind), ("outcome", "ok"))
        assert seen["loupe_ledger_call_seconds_count", calls] == kinds[kind]
    spent = seen["loupe_ledger_balance_minor", (("account", "spent"), ("currency", "USD"))]
    assert spent == seen["loupe_ledger_moved_minor_total", (("currency", "USD"), ("kind", "settle"))]


@pytest.mark.usefixtures("traffic")
def test_requests_problems_and_work_are_counted(port: int) -> None:
    seen = scrape(port)

    def requests(route: str, method: str, status: int) -> float:
        labels = (("method", method), ("route", route), ("status", str(status)))
        return seen["loupe_http_request_duration_seconds_count", labels]

    assert requests("/v1/orders", "POST", 201) == 2
    assert requests("/v1/orders/{order_id}/tiles/{tile}/patches/{patch}", "PUT", 201) == 2
    assert requests("/v1/orders/{order_id}", "GET", 404) == 1
    assert requests("unmatched", "GET", 404) == 2
    assert seen["loupe_problems_total", (("code", "not-found"),)] == 1
    assert seen["loupe_problems_total", (("code", "no-such-route"),)] == 2
    rejected = {
        labels: value for (name, labels), value in seen.items() if name == "loupe_upload_rejected_total"
    }
    assert list(rejected.values()) == [1]
    assert seen["loupe_idempotent_replay_total", ()] == 1
    assert seen["loupe_decode_seconds_count", (("outcome", "ok"),)] == 3
    assert seen["loupe_network_batch_size_sum", (("bundle", "tiny"),)] >= 6
    assert seen["loupe_queue_wait_seconds_count", ()] >= 3
    assert seen["loupe_orders", (("status", "user_cancelled"),)] == 1
    eventually(lambda: scrape(port)["loupe_ledger_violations", ()] == 0)


@pytest.mark.usefixtures("traffic")
def test_labels_hold_no_id_and_no_path(port: int) -> None:
    for name, labels in scrape(port):
        if not name.startswith("loupe_"):
            continue
        assert {label for label, _ in labels} <= LABELS
        for label, value in labels:
            assert re.search(r"[0-9a-f]{8}-|such/address", value) is None, (name, label, value)
            assert KEY not in value


@pytest.mark.usefixtures("traffic")
def test_document_lists_every_metric(port: int) -> None:
    documented = set(re.findall(r"^\| `(loupe_\w+)` \|", DOCUMENT.read_text(), re.MULTILINE))
    families = text_string_to_metric_families(httpx.get(f"http://127.0.0.1:{port}/metrics").text)
    shown = {
        f"{one.name}_total" if one.type == "counter" else one.name
        for one in families
        if one.name.startswith("loupe_") and not one.name.endswith("_created")
    }
    assert shown <= documented
    assert documented - shown <= SOMETIMES


def test_taken_port_is_named_at_the_start(bundle_folder: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        server = ServerProcess(tmp_path, bundle_folder, settings={"LOUPE_METRICS_PORT": str(number)})
        with pytest.raises(AssertionError, match=f"Cannot show metrics on 127.0.0.1:{number}"):
            server.start()
