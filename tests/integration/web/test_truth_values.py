"""Truth values in queries: every route reads true and false, and refuses other words."""

from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

Json = dict[str, Any]


def truth_values(document: Json) -> set[tuple[str, str, str]]:
    """Return method, path and name of every query parameter that is true or false."""
    return {
        (method.upper(), path, parameter["name"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query" and parameter["schema"].get("type") == "boolean"
    }


def test_query_refuses_other_words_than_true_and_false(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)
    found = truth_values(client.app.openapi())
    assert {name for _, _, name in found} == {
        "accept_late", "accept_price", "accept_unlike", "allow_last", "superseded", "waiting",
    }  # fmt: skip

    for method, path, name in found:
        place = path.format(order_id="0" * 32, tile=0, patch=0, key_id="abcdefgh", person_id="0" * 32)
        for word in ("yes", "1", "on", "maybe", ""):
            kind = {"Content-Type": "image/tiff"}
            answer = client.request(method, place, params={name: word}, content=b"II*\0", headers=kind)
            faults = answer.json().get("errors", [])
            assert (answer.status_code, [one["pointer"] for one in faults]) == (422, [f"/query/{name}"]), path
