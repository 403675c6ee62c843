"""Long bodies: while one of them is parsed, the server answers others."""

import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from tests.support.bundles import make_geotiff

WAIT_S = 20.0
CSV, JSON = {"Content-Type": "text/csv"}, {"Content-Type": "application/json"}
TRUTH = f"/v1/orders/{UUID(int=0)}/truth"
FORM = {"scene": ("scene.tif", make_geotiff()), "params": ("options.json", b"{}")}


@pytest.mark.parametrize(
    ("module", "parser", "method", "path", "body"),
    [
        ("service.truth.imports", "truth_of_csv", "PUT", TRUTH, {"content": "", "headers": CSV}),
        ("service.truth.imports", "truth_of_json", "PUT", TRUTH, {"content": "{}", "headers": JSON}),
        ("service.invoices.imports", "documents_of_csv", "POST", "/v1/invoices", {"headers": CSV}),
        ("service.invoices.imports", "documents_of_json", "POST", "/v1/invoices", {"headers": JSON}),
        ("service.pricing.imports", "read_csv", "POST", "/v1/price-lists/import", {"headers": CSV}),
        ("service.pricing.imports", "read_json", "POST", "/v1/price-lists/import", {"headers": JSON}),
        ("service.web.parameters", "repeated_members", "POST", "/v1/keys", {"json": {"name": "n" * 20_000}}),
        ("service.plans.options", "repeated_members", "POST", "/v1/plans", {"files": FORM}),
    ],
)
def test_server_answers_others_while_a_body_is_parsed(
    client: TestClient, monkeypatch: pytest.MonkeyPatch,
    module: str, parser: str, method: str, path: str, body: dict[str, Any],
) -> None:  # fmt: skip
    """One upload of true labels once kept `/healthz` waiting for 14 seconds."""
    parse, parsing, answered = getattr(import_module(module), parser), threading.Event(), threading.Event()

    def wait_for_the_other(*given: Any) -> Any:
        parsing.set()
        assert answered.wait(WAIT_S), "nobody else was answered"
        return parse(*given)

    monkeypatch.setattr(f"{module}.{parser}", wait_for_the_other)
    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(client.request, method, path, **body)
        assert parsing.wait(WAIT_S)
        assert client.get("/healthz").status_code == 200
        answered.set()
        assert upload.result().status_code in {201, 422}


def test_options_of_a_scene_are_refused_when_they_are_too_long(client: TestClient) -> None:
    form = FORM | {"params": ("options.json", b" " * 70_000)}
    answer = client.post("/v1/plans", files=form)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["detail"] == (
        "The options have more than 65,536 bytes. Send the scene as the file 'scene'."
    )
