"""True labels of an order: given as JSON and CSV, kept, scored and reported."""

from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from service.access.repository import create_key, create_workspace
from service.access.tables import Workspace
from service.database.engine import Database
from service.ledger.audit import audit_ledger
from service.truth.schemas import MOST_TILES
from service.truth.tables import TrueLabels
from tests.support.ordering import Json, buy, open_budget, plan_scene, publish_prices

CSV = {"Content-Type": "text/csv"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def order(client: TestClient) -> str:
    """Return a complete order of three patches, 12 USD, that is not classified."""
    publish_prices(client)
    open_budget(client)
    return buy(client, plan_scene(client))


@pytest.fixture
def labels(client: TestClient, order: str) -> list[Json]:
    """Classify the order, and return its tiles."""
    made = client.post(f"/v1/orders/{order}/classification")
    assert made.status_code == 201, made.text
    tiles: list[Json] = made.json()["tiles"]
    return tiles


def give(client: TestClient, order: str, tiles: dict[int, Any]) -> Any:
    body = {"tiles": [{"tile": tile, "true_label": label} for tile, label in tiles.items()]}
    return client.put(f"/v1/orders/{order}/truth", json=body)


def truth(client: TestClient, order: str) -> Json:
    found: Json = client.get(f"/v1/orders/{order}/truth").json()
    return found


def classes(client: TestClient) -> list[str]:
    found: list[str] = client.get("/v1/bundles").json()["items"][0]["classes"]
    return found


def other_than(label: str, client: TestClient) -> str:
    return next(one for one in classes(client) if one != label)


def test_true_labels_are_scored_beside_low_resolution(
    client: TestClient, order: str, labels: list[Json]
) -> None:
    """Of six tiles, the truth says: one right, two wrong, three unknown."""
    known = {
        0: labels[0]["label"],
        1: other_than(labels[1]["label"], client),
        2: other_than(labels[2]["label"], client),
    }
    answer = give(client, order, known)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found == truth(client, order)
    assert [set(link) for link in found["links"]] == [
        {"rel", "href"},
        {"rel", "href", "type"},
        {"rel", "href"},
    ]
    score = found["score"]
    assert (score["tiles"], score["right"], score["share"]) == (3, 1, pytest.approx(1 / 3, abs=1e-6))
    assert score["interval"] == pytest.approx([0.0615, 0.7923], abs=1e-4)
    assert score["lr_right"] == sum(labels[tile]["lr_label"] == label for tile, label in known.items())
    assert sum(one["tiles"] for one in score["by_class"]) == 3
    assert {one["true_label"] for one in score["by_class"]} == set(known.values())
    assert [(one["tile"], one["right"]) for one in found["tiles"]] == [(0, True), (1, False), (2, False)]
    assert score["evaluation"] is None  # the tiny bundle was never evaluated


def test_the_newest_true_label_counts_and_all_are_kept(
    client: TestClient, order: str, labels: list[Json], database: Database, workspace_id: UUID
) -> None:
    right, wrong = labels[0]["label"], other_than(labels[0]["label"], client)
    assert give(client, order, {0: wrong, 1: wrong}).json()["version"] == 1
    with database.sessions.begin() as session:
        other = create_key(session, session.get_one(Workspace, workspace_id), "a reviewer")
    client.headers["Authorization"] = f"Bearer {other}"
    found = give(client, order, {0: right}).json()
    assert [(one["tile"], one["true_label"]) for one in found["tiles"]] == [(0, right), (1, wrong)]
    assert found["tiles"][0]["key"] != found["tiles"][1]["key"]
    assert give(client, order, {1: None}).json()["score"]["tiles"] == 1
    with database.sessions() as session:
        kept = session.scalars(select(TrueLabels.labels).order_by(TrueLabels.version)).all()
        assert [len(one) for one in kept] == [2, 1, 1]
        assert list(audit_ledger(session, [])) == []


def test_repeating_true_labels_stores_nothing(client: TestClient, order: str, database: Database) -> None:
    label = classes(client)[0]
    first = give(client, order, {0: label, 1: label})
    assert give(client, order, {1: label, 0: label}).json() == first.json()
    assert give(client, order, {2: None}).json() == first.json()
    with database.sessions() as session:
        assert len(session.scalars(select(TrueLabels)).all()) == 1


def test_true_labels_come_as_csv_and_go_as_csv(client: TestClient, order: str, labels: list[Json]) -> None:
    right = labels[0]["label"]
    body = f"\ufefftile,true_label\r\n0,{right}\r\n\r\n4,{right}\r\n"
    answer = client.put(f"/v1/orders/{order}/truth", content=body.encode(), headers=CSV)
    assert answer.status_code == 200, answer.text
    exported = client.get(f"/v1/orders/{order}/truth?format=csv").text
    header, first, *_ = exported.splitlines()
    assert header == "tile,true_label,label,lr_label,right,key,given_at"
    assert first.startswith(f"0,{right},{right},")
    again = client.put(f"/v1/orders/{order}/truth", content=exported.encode(), headers=CSV)
    assert again.json() == answer.json()
    emptied = "tile,true_label\n0,\n"
    assert len(client.put(f"/v1/orders/{order}/truth", content=emptied, headers=CSV).json()["tiles"]) == 1


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        ("", "truth-unreadable", "must name the columns tile and true_label"),
        ("tile,label\n0,x\n", "truth-unreadable", "It has tile, label"),
        ("tile,true_label\n0\n", "truth-unreadable", "Row 2 has 1 cells"),
        ("tile,true_label\n0000000000000000000005,x\n", "label-unknown", "'x' is no class"),
        (f"tile,true_label\n{5 + 10**18},x\n", "truth-unreadable", "is no number of a tile"),
        ("tile,true_label\n-1,x\n", "truth-unreadable", "Row 2: '-1' is no number of a tile"),
        ('tile,true_label\n0,"x\n', "truth-unreadable", "The file is not CSV"),
        ("tile,true_label\n", "invalid", ""),
        ("tile,true_label\n0,x\n", "label-unknown", "'x' is no class"),
        ("tile,true_label\n0,\n00,\n", "truth-tile-repeated", "Tile 0 is given more than once"),
        ("tile,true_label\n99,x\n", "truth-tile", "the plan has the tiles 0 to 5"),
    ],
)
def test_unusable_csv_is_refused_and_nothing_is_stored(
    client: TestClient, order: str, body: str, code: str, sentence: str
) -> None:
    answer = client.put(f"/v1/orders/{order}/truth", content=body, headers=CSV)
    assert answer.status_code == 422, answer.text
    assert code in answer.json()["type"]
    assert sentence in answer.text
    assert truth(client, order)["version"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b"\xff", b"{", b"[]", b"{}", b'{"tiles": []}', b'{"tiles": [{"tile": 0}]}',
        b'{"tiles": [{"tile": "0", "true_label": null}]}', b'{"tiles": [{"tile": 1.5, "true_label": null}]}',
        b'{"tiles": [{"tile": 0, "true_label": null, "tile": 1}]}',
        b'{"tiles": [{"tile": 0, "true_label": null, "sure": true}]}',
    ],
)  # fmt: skip
def test_unusable_json_is_refused(client: TestClient, order: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.put(f"/v1/orders/{order}/truth", content=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_zeros_before_the_number_of_a_tile_do_not_change_it(client: TestClient, order: str) -> None:
    body = f"tile,true_label\n{'0' * 5000}5,{classes(client)[0]}\n"
    answer = client.put(f"/v1/orders/{order}/truth", content=body, headers=CSV)
    assert [one["tile"] for one in answer.json()["tiles"]] == [5]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/csv", "tile,true_label\n" + "0,x\n" * (MOST_TILES + 1)),
        ("text/csv", "tile,true_label\n" + "0,x\n" * (MOST_TILES + 1) + '0,"'),
        ("application/json", '{"tiles": [' + "{}," * MOST_TILES + "{}]}"),
        ("application/json", '{"tiles": [' + "{}," * (MOST_TILES + 2)),
        ("application/json", '{"tiles": [' + "1," * MOST_TILES + "1]}"),
    ],
    ids=["rows", "rows-before-a-fault", "objects", "objects-before-a-fault", "numbers"],
)
def test_reading_true_labels_ends_at_the_limit(client: TestClient, kind: str, body: str) -> None:
    answer = client.put(f"/v1/orders/{UUID(int=0)}/truth", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "The body names more than 100,000 tiles. Send them in several requests."


def test_answer_lists_only_the_first_faults(client: TestClient) -> None:
    body = '{"tiles": [' + "1," * 999 + "1]}"
    answer = client.put(f"/v1/orders/{UUID(int=0)}/truth", content=body, headers=JSON)
    assert (answer.status_code, len(answer.json()["errors"])) == (422, 100)
    assert answer.json()["errors"][0]["detail"] == "This is not a JSON object."


def test_true_labels_wait_for_a_classification(client: TestClient, order: str) -> None:
    label = classes(client)[0]
    found = give(client, order, {0: label}).json()
    assert found["score"] is None
    assert (found["tiles"][0]["label"], found["tiles"][0]["right"]) == (None, None)
    assert client.get(f"/v1/reports/savings/orders/{order}").json()["proven_labels"] is None
    assert client.post(f"/v1/orders/{order}/classification").status_code == 201
    assert truth(client, order)["score"]["tiles"] == 1


def test_savings_report_proven_labels_and_their_price(
    client: TestClient, order: str, labels: list[Json]
) -> None:
    give(client, order, {tile["tile"]: tile["label"] for tile in labels})
    one = client.get(f"/v1/reports/savings/orders/{order}").json()
    proven = one["proven_labels"]
    assert (proven["tiles"], proven["right"], proven["paid"]) == (6, 6, one["net"])
    assert proven["right_per_unit"] == pytest.approx(6 / float(one["net"]["amount"]), abs=1e-6)
    (report,) = client.get("/v1/reports/savings").json()["currencies"]
    assert report["proven_labels"] == proven
    header, row = client.get("/v1/reports/savings?format=csv").text.splitlines()
    cells = dict(zip(header.split(","), row.split(","), strict=True))
    assert (cells["known_tiles"], cells["right_labels"]) == ("6", "6")


def test_order_and_classification_link_to_the_true_labels_and_the_saving(
    client: TestClient, order: str
) -> None:
    made = client.post(f"/v1/orders/{order}/classification").json()
    placed = client.get(f"/v1/orders/{order}").json()
    for document in (made, placed):
        links = {link["rel"]: link["href"] for link in document["links"]}
        assert client.get(links["truth"]).json()["order"] == order
    assert client.get(links["saving"]).json()["order"] == order


def test_true_labels_of_another_workspace_are_not_found(
    client: TestClient, order: str, database: Database
) -> None:
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    client.headers["Authorization"] = f"Bearer {stranger}"
    assert client.get(f"/v1/orders/{order}/truth").status_code == 404
    assert (
        client.put(f"/v1/orders/{order}/truth", content="tile,true_label\n0,x\n", headers=CSV).status_code
        == 404
    )
