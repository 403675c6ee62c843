"""Parameters with control characters, and numbers beyond the database: refused, and never a failure."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.support.operations import NOBODY, PLACES
from tests.support.ordering import TIFF, publish_prices

TEXT = "a\0b\x85c\u202ed"
"""A text with NUL, a C1 control character and a mark that turns the reading direction."""
DELETE = "a\x7fb"
"""A text with U+007F, which is beyond ASCII's printable characters but no C1 control character."""
NUMBERS = (2**63, 10**30)
Json = dict[str, Any]


def hostile(schema: Json) -> list[str]:
    """Return values that no parameter takes."""
    kinds = {schema.get("type"), *(one.get("type") for one in schema.get("anyOf", ()))}
    return [TEXT, *map(str, NUMBERS)] if kinds & {"integer", "number"} else [TEXT, DELETE]


def requests(document: Json) -> Iterator[tuple[str, str, str, Json]]:
    """Yield a request for each hostile value of each parameter: method, path, parameter and query."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", ()):
                name = parameter["name"]
                for value in hostile(parameter["schema"]):
                    if parameter["in"] == "query":
                        yield method, filled(path, {}), name, {name: value}
                    elif parameter["in"] == "path":
                        yield method, filled(path, {name: quote(value, safe="")}), name, {}


def filled(path: str, given: Json) -> str:
    """Fill the places of a path, with ids that nothing has where none is given."""
    return re.sub(r"{(\w+)}", lambda at: given.get(at[1], PLACES.get(at[0], NOBODY)), path)


def test_no_parameter_with_a_hostile_value_is_a_failure(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)
    publish_prices(client)
    walked, failed = 0, []
    for method, path, name, query in requests(client.app.openapi()):
        answer = client.request(method, path, params=query, headers=TIFF, content=b"II")
        walked += 1
        if not 400 <= answer.status_code < 500 or not answer.json()["detail"].endswith("."):
            failed.append((method, path, name, answer.status_code, answer.text[:200]))

    assert failed == []
    assert walked > 150


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/budgets", {"name": "b", "limit": {"amount": "NUMBER", "currency": "USD"}}),
        ("/v1/budgets", {"name": "b", "limit": {"amount": "1", "currency": "USD"}, "thresholds": ["NUMBER"]}),
        ("/v1/price-lists", {"name": "p", "provider": "p", "product": "p", "gsd_m": "1", "currency": "USD",
                             "price_per_km2": "NUMBER"}),
        ("/v1/plans/{id}/replan", {"max_patches": "NUMBER"}),
        ("/v1/plans/{id}/replan", {"max_cost": "NUMBER"}),
    ],
)  # fmt: skip
def test_number_beyond_the_database_is_refused(
    client: TestClient, path: str, body: Json, number: int
) -> None:
    def put_in(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: put_in(value) for name, value in part.items()}
        if isinstance(part, list):
            return [put_in(value) for value in part]
        return number if part == "NUMBER" else part

    answer = client.post(path.format(id=NOBODY), json=put_in(body))
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("place", ["tiles/5209201133262/patches/113", "tiles/0/patches/5209201133262"])
def test_place_beyond_the_database_is_refused(client: TestClient, order: str, place: str) -> None:
    """schemathesis found it: only an order that exists is asked for the place."""
    answer = client.put(f"/v1/orders/{order}/{place}", content=b"II*\0", headers=TIFF)

    assert 400 <= answer.status_code < 500, answer.text
