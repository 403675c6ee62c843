"""Parameters of requests: every route refuses what it does not know, and what is given twice."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from fastapi.testclient import TestClient

from service.web.parameters import query_names
from tests.support.bundles import make_geotiff
from tests.support.ordering import TIFF, code, publish_prices

PLACES = {
    "name": "dashboard.css", "kind": "json", "key_id": "abcdefgh", "bundle": "tiny", "tile": 0, "patch": 0,
    "transfer": 1,
}  # fmt: skip


OF_THE_ISSUER = "/dashboard/login/return"
"""Address that an issuer completes with parameters of its own, which OpenID Connect says to ignore."""


def routes(client: TestClient) -> Iterator[tuple[RouteContext, str]]:
    """Yield every route of the application with an address of it."""
    assert isinstance(client.app, FastAPI)
    for route in iter_route_contexts(client.app.routes):
        assert isinstance(route.original_route, APIRoute), f"{route.path} checks no parameters"
        assert route.path is not None
        names = [part.partition("}")[0] for part in route.path.split("{")[1:]]
        yield route, route.path.format(**{name: PLACES.get(name, "0" * 32) for name in names})


def faults(answer: Any) -> list[tuple[str, str]]:
    """Return pointer and code of every fault that a 422 names."""
    assert answer.status_code == 422, answer.text
    return [(one["pointer"], one["code"]) for one in answer.json()["errors"]]


def test_every_route_refuses_unknown_query_parameters(client: TestClient) -> None:
    walked = 0
    for route, address in routes(client):
        if route.path == OF_THE_ISSUER:
            continue
        for method in route.methods or ():
            answer = client.request(method, address, params={"surprise": "1"}, headers=TIFF, content=b"II")
            assert faults(answer) == [("/query/surprise", "parameter-unknown")], f"{method} {route.path}"
            walked += 1
    assert walked > 50


def test_every_route_refuses_query_parameters_that_are_given_twice(client: TestClient) -> None:
    walked = 0
    for route, address in routes(client):
        assert isinstance(route.original_route, APIRoute)
        for name, is_list in query_names(route.original_route).items():
            method, twice = next(iter(route.methods or ())), {name: ["1", "2"]}
            answer = client.request(method, address, params=twice, headers=TIFF, content=b"II")
            refused = answer.status_code == 422 and "given-twice" in answer.text
            assert refused is not is_list, f"{method} {route.path} {name}"
            walked += 1
    assert walked > 30


def test_unknown_parameter_names_those_that_there_are(client: TestClient) -> None:
    answer = client.get("/v1/reports/spend", params={"since": "2030-01-01"})
    assert answer.json()["detail"] == (
        "/query/since: This address has no such query parameter. "
        "It has limit, format, from, to, budget, provider, cost_center, tag, group_by, step, cursor."
    )
    assert client.get("/healthz?deep=1").json()["detail"].endswith("query parameter. It has none.")


@pytest.mark.parametrize("name", ["Idempotency-Key", "If-Match", "Content-Type", "Authorization"])
def test_header_of_which_one_is_read_is_refused_when_given_twice(client: TestClient, name: str) -> None:
    headers = [(name, "application/json"), (name, "Bearer another")]
    answer = client.post("/v1/orders", content=b"{}", headers=headers)
    assert (f"/header/{name.lower()}", "given-twice") in faults(answer)


def test_json_body_is_refused_when_it_gives_a_member_twice(client: TestClient) -> None:
    body = b'{"name": "a", "limit": {"amount": "5", "amount": "50", "currency": "USD"}}'
    answer = client.post("/v1/budgets", content=body, headers={"Content-Type": "application/json"})
    assert faults(answer) == [("/body/amount", "given-twice")]
    assert client.get("/v1/budgets").json()["items"] == []
    twice = b'[{"name": "a", "name": "b"}]'
    imported = client.post(
        "/v1/price-lists/import", content=twice, headers={"Content-Type": "application/json"}
    )
    assert code(imported) == (422, "import-unreadable")
    assert imported.json()["detail"] == "A price list gives name more than once. Give it once."


def test_sign_in_form_is_refused_when_it_gives_the_key_twice(client: TestClient) -> None:
    answer = client.post("/dashboard/login", data={"key": ["one", "two"]})
    assert faults(answer) == [("/body/key", "given-twice")]


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ([("params", (None, "{}")), ("params", (None, "{}"))], ("/body/params", "given-twice")),
        ([("scene", ("b.tif", b"II"))], ("/body/scene", "given-twice")),
        ([("max_patches", (None, "3"))], ("/body/max_patches", "field-unknown")),
        (
            [("params", (None, '{"max_patches": 1, "max_patches": 2}'))],
            ("/body/params/max_patches", "given-twice"),
        ),
    ],
)
def test_form_of_a_scene_is_refused_when_a_part_would_be_ignored(
    client: TestClient, parts: list[tuple[str, Any]], found: tuple[str, str]
) -> None:
    answer = client.post("/v1/plans", files=[("scene", ("a.tif", make_geotiff())), *parts])
    assert faults(answer) == [found]
    assert client.get("/v1/plans").json()["items"] == []


def test_options_of_a_form_are_read_from_a_file_too(client: TestClient) -> None:
    publish_prices(client)
    options = b'{"price_list": "acme", "max_patches": 2}'
    parts = {"scene": ("a.tif", make_geotiff()), "params": ("options.json", options)}
    answer = client.post("/v1/plans", files=parts)
    assert answer.json()["objective"] == {"kind": "max_patches", "max_patches": 2}


def test_id_of_another_form_is_refused_in_a_sentence(client: TestClient) -> None:
    answer = client.get("/v1/orders/nonsense")

    assert faults(answer) == [("/path/order_id", "uuid_parsing")]
    assert answer.json()["detail"].startswith("/path/order_id: This is not an id. An id is a UUID")


def test_body_that_is_no_object_is_refused_in_a_sentence(client: TestClient) -> None:
    answer = client.post("/v1/budgets", json=[1], headers={"Idempotency-Key": "a-list-of-numbers"})

    assert answer.json()["detail"] == "/body: This is not a JSON object."
