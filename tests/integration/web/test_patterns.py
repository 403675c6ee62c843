"""Texts of a certain form: whatever has a pattern is refused with a sentence, never with the pattern."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.support.ordering import TIFF

Json = dict[str, Any]

WRONG = "\x07^"
PLACES = {"tile": "0", "patch": "0"}


def wrong(document: Json, schema: Json) -> Any:
    """Return a value whose texts match no pattern of the schema; None if the schema has no pattern."""
    if "$ref" in schema:
        return wrong(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return next((bad for one in schema["anyOf"] if (bad := wrong(document, one)) is not None), None)
    if "items" in schema:
        return None if (bad := wrong(document, schema["items"])) is None else [bad]
    if "patternProperties" in schema:
        return {WRONG: WRONG}
    members = {name: wrong(document, one) for name, one in schema.get("properties", {}).items()}
    found = {name: bad for name, bad in members.items() if bad is not None}
    return found or (WRONG if "pattern" in schema else None)


def requests(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield the operations that have patterns, each with a query and a body that match none of them."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            query = {
                one["name"]: wrong(document, one["schema"])
                for one in operation.get("parameters", ())
                if one["in"] == "query"
            }
            content = operation.get("requestBody", {}).get("content", {})
            body = wrong(document, content.get("application/json", {}).get("schema", {}))
            if any(query.values()):
                params = {name: bad for name, bad in query.items() if bad is not None}
                yield method, path, {"params": params, "headers": TIFF, "content": b"II"}
            if body is not None:
                yield method, path, {"json": body, "headers": {"Idempotency-Key": "wrong-texts"}}


def test_no_refusal_shows_a_pattern(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)
    refused = 0
    for method, path, request in requests(client.app.openapi()):
        names = [part.partition("}")[0] for part in path.split("{")[1:]]
        place = path.format(**{name: PLACES.get(name, UUID(int=0).hex) for name in names})
        answer = client.request(method, place, **request)
        assert answer.status_code == 422, f"{method} {path}: {answer.text}"
        for one in answer.json()["errors"]:
            assert "pattern" not in one["detail"], f"{method} {path} {one}"
            refused += one["code"].endswith("-invalid")
    assert refused > 20


def test_texts_that_choose_are_refused_with_a_sentence(client: TestClient) -> None:
    for query in ({"cost_center": WRONG}, {"tag": WRONG}, {"provider": WRONG}):
        (name,) = query
        answer = client.get("/v1/reports/savings", params=query)
        assert answer.json()["errors"][0] == {
            "pointer": f"/query/{name}",
            "detail": "This text has the character U+0007. Write it in one line, without control codes.",
            "code": "text-invalid",
        }


def test_month_is_refused_with_a_sentence(client: TestClient) -> None:
    answer = client.post("/v1/ledger/closes", json={"month": "2026-1"})
    assert answer.json()["detail"] == '/body/month: A month is a text like "2026-10" (year-month).'
