"""Imports of price lists: a file is published as a whole or not at all, and faults name their rows."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.pricing.documents import CSV_EXAMPLE
from service.pricing.examples import EXAMPLES

HEADER = "name,provider,product,gsd_m,currency,price_per_km2"
ROW = "acme,Acme,30 cm archive,0.3,EUR,19.50"


def send(client: TestClient, body: str | bytes, media_type: str = "text/csv") -> Any:
    return client.post("/v1/price-lists/import", content=body, headers={"Content-Type": media_type})


def names(client: TestClient) -> set[str]:
    return {item["name"] for item in client.get("/v1/price-lists?limit=100").json()["items"]} - set(EXAMPLES)


def test_import_accepts_the_documented_csv(client: TestClient) -> None:
    answer = send(client, CSV_EXAMPLE)
    assert answer.status_code == 201
    (item,) = answer.json()["items"]
    assert (answer.json()["published"], answer.json()["unchanged"]) == (1, 0)
    assert (item["name"], item["price_per_km2"], item["minimum_km2"]) == ("acme-30cm", "19.5", "2")
    assert item["tiers"] == [
        {"above_km2": "500", "price_per_km2": "17"},
        {"above_km2": "1000", "price_per_km2": "15"},
    ]
    assert client.get(f"/v1/price-lists/{item['id']}").json() == item


def test_import_of_the_same_file_publishes_nothing(client: TestClient) -> None:
    first = send(client, CSV_EXAMPLE).json()
    again = send(client, CSV_EXAMPLE).json()
    assert (again["published"], again["unchanged"]) == (0, 1)
    assert again["items"] == first["items"]


def test_import_accepts_any_column_order_empty_cells_and_a_byte_order_mark(client: TestClient) -> None:
    body = (
        "\ufeffprice_per_scene,holes,name,provider,product,gsd_m,currency,price_per_km2,convex\r\n"
        ',false,one,Acme,"wide, sharp",0.3,JPY,1900,TRUE\r\n'
        "\r\n"
        "113,,two,Acme,archive,1,EUR,,\r\n"
    )
    answer = send(client, body)
    assert answer.status_code == 201, answer.text
    one, two = answer.json()["items"]
    assert (one["product"], one["holes"], one["convex"], one["price_per_km2"]) == (
        "wide, sharp",
        False,
        True,
        "1900",
    )
    assert (two["price_per_scene"], two["price_per_km2"], two["holes"]) == ("113", None, True)


def test_import_accepts_a_json_array_of_price_lists(client: TestClient) -> None:
    row = dict(zip(HEADER.split(","), ROW.split(","), strict=True))
    answer = send(client, json.dumps([row, row | {"name": "other", "gsd_m": 0.5}]), "application/json")
    assert (answer.status_code, answer.json()["published"]) == (201, 2)
    assert names(client) == {"acme", "other"}


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("captured_at", 1_764_288_000),
        ("valid_from", "2026-11-28T10:00:00"),
        ("max_vertices", True),
        ("price_per_km2", True),
        ("convex", 1),
        ("currency", "ABC"),
        ("currency", "XAU"),
    ],
)
def test_import_refuses_values_that_would_be_converted(
    client: TestClient, member: str, value: object
) -> None:
    row = dict(zip(HEADER.split(","), ROW.split(","), strict=True))

    answer = send(client, json.dumps([row | {member: value}]), "application/json")

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/rows/1/{member}"]
    assert names(client) == set()


def test_import_reports_every_fault_and_publishes_nothing(client: TestClient) -> None:
    rows = [HEADER + ",tiers", ROW, "b,,archive,0.3,euro,1,", "c,Acme,archive,0.3,EUR,1,500", ROW]
    answer = send(client, "\n".join(rows))
    assert answer.status_code == 422
    pointers = [error["pointer"] for error in answer.json()["errors"]]
    assert pointers == [
        "/rows/3/provider",
        "/rows/3/currency",
        "/rows/4/tiers/0/price_per_km2",
        "/rows/5/name",
    ]
    assert answer.json()["errors"][-1]["detail"] == "Row 5: Row 2 has the same name."
    assert all(error["detail"].startswith("Row ") for error in answer.json()["errors"])
    assert names(client) == set()


@pytest.mark.parametrize(
    ("body", "media_type", "words"),
    [
        ("", "text/csv", "empty"),
        (HEADER, "text/csv", "0 price lists"),
        (f"{HEADER},discount\n{ROW},5", "text/csv", "Unknown columns: 'discount'"),
        (f"{HEADER},name\n{ROW},x", "text/csv", "same name"),
        (f"{HEADER}\n{ROW},5", "text/csv", "Row 2 has more cells"),
        (f'{HEADER}\n"{ROW}', "text/csv", "not CSV"),
        (f"{HEADER}\n{ROW}\n" * 1_001, "text/csv", "2001 price lists"),
        ("Händler".encode("latin-1"), "text/csv", "not UTF-8"),
        ("{", "application/json", "not JSON"),
        ("[" * 100_000, "application/json", "not JSON"),
        ("{}", "application/json", "not a JSON array"),
        ("[1]", "application/json", "not a JSON array"),
        ("[]", "application/json", "0 price lists"),
    ],
)
def test_import_rejects_unreadable_files(
    client: TestClient, body: str | bytes, media_type: str, words: str
) -> None:
    answer = send(client, body, media_type)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/import-unreadable")
    assert words in answer.json()["detail"]
    assert names(client) == set()


def test_import_needs_a_valid_key(client: TestClient) -> None:
    headers = {"Authorization": "Bearer x", "Content-Type": "text/csv"}
    assert client.post("/v1/price-lists/import", content=CSV_EXAMPLE, headers=headers).status_code == 401


def test_import_keeps_the_bands_that_a_provider_delivers(client: TestClient) -> None:
    body = f'{HEADER},delivery_bands\n{ROW},"3, 2,1"\n'
    answer = send(client, body)
    assert answer.status_code == 201, answer.text
    (item,) = answer.json()["items"]
    assert item["delivery_bands"] == "3,2,1"
    assert client.get(f"/v1/price-lists/{item['id']}").json() == item
    assert send(client, body).json()["unchanged"] == 1


@pytest.mark.parametrize("bands", ["3,2", "3,3,1", "0,1,2", "33,2,1", "r,g,b", "3;2;1", "1,2,3,4"])
def test_import_refuses_bands_that_are_not_three_numbers(client: TestClient, bands: str) -> None:
    answer = send(client, f'{HEADER},delivery_bands\n{ROW},"{bands}"\n')
    assert answer.status_code == 422
    assert "such as 3,2,1" in answer.text
