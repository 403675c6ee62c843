"""What travels: compression, versions and 304, media types, and digests of uploads."""

import base64
import hashlib
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.web.compression import wants_gzip
from service.web.negotiation import preferred
from tests.support.bundles import make_geotiff
from tests.support.databases import KEY
from tests.support.ordering import TIFF, buy, code, open_budget, plan_scene, publish_prices


@pytest.fixture
def plan(client: TestClient) -> str:
    publish_prices(client)
    return f"/v1/plans/{plan_scene(client).id}"


def digest_of(body: bytes, algorithm: str = "sha256") -> str:
    return base64.b64encode(hashlib.new(algorithm, body).digest()).decode()


def test_long_answers_are_compressed_for_clients_that_ask(client: TestClient, plan: str) -> None:
    squeezed = client.get(f"{plan}/patches", headers={"Accept-Encoding": "gzip"})
    plain = client.get(f"{plan}/patches", headers={"Accept-Encoding": "identity"})

    assert squeezed.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in squeezed.headers["vary"]
    assert int(squeezed.headers["content-length"]) * 5 < int(plain.headers["content-length"])
    assert "content-encoding" not in plain.headers
    assert squeezed.json() == plain.json()


def test_short_compressed_and_secret_answers_are_sent_as_they_are(client: TestClient, plan: str) -> None:
    wanted = {"Accept-Encoding": "gzip"}
    client.post("/dashboard/login", data={"key": KEY}).raise_for_status()
    page = client.get("/dashboard", headers=wanted)

    assert len(page.content) > 1_000
    answers = [page, client.get("/healthz", headers=wanted), client.get(f"{plan}/scene.tif", headers=wanted)]
    assert [answer.headers.get("content-encoding") for answer in answers] == [None, None, None]


@pytest.mark.parametrize("part", ["/patches", "/shapes", "/bill", "/preview.png"])
def test_what_never_changes_is_kept_and_answered_with_304(client: TestClient, plan: str, part: str) -> None:
    first = client.get(plan + part)
    version = first.headers["etag"]
    again = client.get(plan + part, headers={"If-None-Match": f'"other", {version}'})

    assert first.headers["cache-control"].startswith("private, max-age=")
    assert "Authorization" in first.headers["vary"]
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", version)
    assert "content-type" not in again.headers
    assert again.headers["cache-control"] == first.headers["cache-control"]
    assert client.get(plan + part, headers={"If-None-Match": '"other"'}).status_code == 200


def test_plan_whose_names_may_change_is_asked_for_again_and_answered_with_304(
    client: TestClient, plan: str
) -> None:
    first = client.get(plan)
    asked = {"If-None-Match": first.headers["etag"]}
    assert client.get(plan, headers=asked).status_code == 304

    client.patch(plan, json={"name": "Harbours"}).raise_for_status()

    assert "cache-control" not in first.headers
    assert client.get(plan, headers=asked).json()["name"] == "Harbours"


def test_changed_list_has_another_version(client: TestClient) -> None:
    version = client.get("/v1/budgets").headers["etag"]
    assert client.get("/v1/budgets", headers={"If-None-Match": version}).status_code == 304

    budget = open_budget(client)

    assert client.get("/v1/budgets", headers={"If-None-Match": version}).status_code == 200
    assert client.get(f"/v1/budgets/{budget}", headers={"If-None-Match": 'W/"1"'}).status_code == 304


@pytest.mark.parametrize("address", ["/openapi.json", "/problems", "/problems/not-found"])
def test_documents_about_the_api_are_answered_with_304(client: TestClient, address: str) -> None:
    version = client.get(address).headers["etag"]

    assert client.get(address, headers={"If-None-Match": version}).status_code == 304


def test_delivered_file_is_answered_with_304_by_its_digest(client: TestClient) -> None:
    publish_prices(client)
    open_budget(client)
    bought = plan_scene(client)
    tile, patch = bought.bought[0]
    address = f"/v1/orders/{buy(client, bought, 1)}/tiles/{tile}/patches/{patch}"

    first = client.get(address)
    again = client.get(address, headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["etag"] == f'"{hashlib.sha256(first.content).hexdigest()}"'
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(address, headers={"If-None-Match": '"other"'}).content == first.content


def test_errors_are_never_kept(client: TestClient, plan: str) -> None:
    refused = client.get(plan.replace(plan[-4:], "0000"), headers={"If-None-Match": "*"})

    assert refused.status_code == 404
    assert "cache-control" not in refused.headers


def test_head_has_the_headers_of_get(client: TestClient, plan: str) -> None:
    got, head = client.get(f"{plan}/bill"), client.head(f"{plan}/bill")

    assert head.status_code == 200
    assert {name: head.headers[name] for name in ("etag", "cache-control", "content-type", "vary")} == {
        name: got.headers[name] for name in ("etag", "cache-control", "content-type", "vary")
    }


def test_options_names_the_methods_of_an_address(client: TestClient) -> None:
    answer = client.options("/v1/plans")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


@pytest.mark.parametrize(
    ("accept", "status"),
    [("text/html", 406), ("image/png, text/csv;q=0", 406), ("application/json;q=0", 406),
     ("text/csv", 200), ("text/*", 200), ("text/html, */*;q=0.1", 200), ("application/geo+json", 200)],
)  # fmt: skip
def test_client_that_accepts_no_offered_type_is_refused(client: TestClient, accept: str, status: int) -> None:
    answer = client.get("/v1/ledger", headers={"Accept": accept})

    assert answer.status_code == status
    if status == 406:
        assert answer.json()["offered"] == [
            "application/json", "text/csv", "application/vnd.apache.parquet"
        ]  # fmt: skip


def test_header_accept_that_cannot_be_read_allows_any_type() -> None:
    assert preferred("", ["application/json"]) == "application/json"
    assert preferred("json", ["application/json"]) == "application/json"
    assert preferred("json, image/png", ["application/json"]) is None


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("*/*", "application/json"),
        ("application/json;q=0.5, text/csv", "text/csv"),
        ("text/csv;q=0.5, application/json", "application/json"),
        ("text/*", "text/csv"),
        ("application/json;q=0, */*", "text/csv"),
        ("text/csv;q=0, text/*, application/json;Q=0.1", "application/json"),
        ("*/*;q=0.9, application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("text/csv, application/json", "text/csv"),
        ("*/*, text/csv", "text/csv"),
        ("application/problem+json", "application/json"),
    ],
)
def test_list_comes_in_the_form_that_the_client_wants_most(
    client: TestClient, accept: str, chosen: str
) -> None:
    answer = client.get("/v1/ledger", headers={"Accept": accept})

    assert answer.headers["content-type"].partition(";")[0] == chosen
    assert "Accept" in answer.headers["vary"].split(", ")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("application/json", "application/geo+json"),
        ("text/plain;q=0.1, application/vnd.google-earth.kml+xml", "application/vnd.google-earth.kml+xml"),
        ("text/*", "text/plain"),
        ("application/geo+json;q=0, */*", "text/plain"),
    ],
)
def test_shapes_come_in_the_form_that_the_client_wants_most(
    client: TestClient, plan: str, accept: str, chosen: str
) -> None:
    answer = client.get(f"{plan}/shapes", headers={"Accept": accept})

    assert answer.headers["content-type"].partition(";")[0] == chosen
    assert "Accept" in answer.headers["vary"].split(", ")


@pytest.mark.parametrize(
    ("accepted", "squeezed"),
    [
        ("gzip", True), ("GZIP;q=0.2", True), ("br, *", True), ("deflate, x-gzip", True),
        ("", False), ("identity", False), ("gzip;q=0", False), ("gzip;q=0, *", False), ("*;q=0", False),
        ("gzip;q=0.5, identity", False), ("zstd, br", False),
    ],
)  # fmt: skip
def test_qualities_decide_whether_an_answer_is_compressed(
    client: TestClient, accepted: str, squeezed: bool
) -> None:
    answer = client.get("/openapi.json", headers={"Accept-Encoding": accepted})

    assert wants_gzip(accepted) is squeezed
    assert (answer.headers.get("content-encoding") == "gzip") is squeezed
    assert "Accept-Encoding" in answer.headers["vary"].split(", ")


@pytest.mark.parametrize("field", ["Content-Digest", "Repr-Digest"])
def test_upload_with_its_digest_is_taken(client: TestClient, field: str) -> None:
    publish_prices(client)
    body = make_geotiff()
    stated = f"sha-256=:{digest_of(body)}:, sha-512=:{digest_of(body, 'sha512')}:, crc32c=:AAAAAA==:"
    answer = client.post("/v1/plans", content=body, headers=TIFF | {field: stated}, params={"max_patches": 1})

    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("field", ["Content-Digest", "Repr-Digest"])
def test_upload_with_a_false_digest_is_refused_and_stores_nothing(client: TestClient, field: str) -> None:
    publish_prices(client)
    headers = TIFF | {field: f"sha-256=:{digest_of(b'another file')}:"}
    answer = client.post("/v1/plans", content=make_geotiff(), headers=headers, params={"max_patches": 1})

    assert code(answer) == (400, "malformed-request")
    assert answer.json()["detail"] == (
        f"The body is not the one that {field} states: its sha-256 is {digest_of(make_geotiff())}. "
        "Send the file again."
    )
    assert client.get("/v1/plans").json()["items"] == []


def test_digest_is_compared_for_json_and_for_streamed_files_too(client: TestClient) -> None:
    stated: Any = {"Content-Digest": f"sha-256=:{digest_of(b'{}')}:"}
    budget = {"name": "x", "limit": {"amount": "1.00", "currency": "USD"}}
    refused = [
        client.post("/v1/budgets", json=budget, headers=stated),
        client.put(f"/v1/orders/{'0' * 32}/deliveries", content=make_geotiff(), headers=TIFF | stated),
    ]

    assert [answer.status_code for answer in refused] in ([400, 400], [400, 404])
    assert client.get("/v1/budgets").json()["items"] == []


def test_each_of_two_digest_headers_is_compared(client: TestClient) -> None:
    body = make_geotiff()
    stated = [
        ("Content-Digest", f"sha-512=:{digest_of(body, 'sha512')}:"),
        ("Content-Digest", f"sha-256=:{digest_of(b'another file')}:"),
    ]
    answer = client.post("/v1/plans", content=body, headers=[*TIFF.items(), *stated])

    assert code(answer) == (400, "malformed-request")


def test_digest_that_cannot_be_read_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/plans", content=b"II", headers=TIFF | {"Content-Digest": "sha-256=abc"})

    assert answer.json()["detail"] == (
        "Content-Digest cannot be read. Write it as sha-256=:BASE64: with the colons."
    )
