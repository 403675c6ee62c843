"""The application as a whole: every request's envelope, and parts that are missing."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Connection, event, text

from service.app import create_app
from service.bundles.stored import read_bundle
from service.database.engine import Database
from service.errors import UnavailableError
from service.geotiff.sandbox import LAYERS
from service.settings import Settings
from service.version import code_version
from tests.support.bundles import make_settings
from tests.support.operations import NOBODY, versioned_operations
from tests.support.ordering import code

BUDGET = {"name": "Harvest", "limit": {"amount": "500.00", "currency": "USD"}}


def test_readyz_is_ready_when_every_part_is_there(client: TestClient) -> None:
    answer = client.get("/readyz")

    assert answer.json() == {
        "status": "ready",
        "checks": dict.fromkeys(
            ("database", "migrations", "role", "bundle", "gdal", "sandbox", "accepting", "disk"), True
        ),
        "sandbox": dict.fromkeys(LAYERS, True),
        "warnings": [],
    }


def test_lost_layer_of_the_sandbox_is_reported_and_stops_a_server_that_requires_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.geotiff.sandbox.sandbox_layers", lambda: frozenset(LAYERS) - {"seccomp"})
    with TestClient(create_app(settings)) as client:
        answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["sandbox"]["seccomp"] is False
    assert any("not confined by seccomp" in warning for warning in answer.json()["warnings"])

    strict = create_app(settings.model_copy(update={"sandbox": "require"}))
    with pytest.raises(UnavailableError, match="lacks seccomp"), TestClient(strict):
        pass


def test_namespaces_are_not_required_because_many_containers_have_none(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.geotiff.sandbox.sandbox_layers", lambda: frozenset(LAYERS) - {"namespaces"})
    with TestClient(create_app(settings.model_copy(update={"sandbox": "require"}))) as client:
        answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["warnings"]) == (200, [])


def test_healthz_tells_strangers_nothing(client: TestClient) -> None:
    assert client.get("/healthz", headers={"Authorization": ""}).json() == {"status": "alive"}


def test_strangers_learn_no_version_but_that_of_the_api_document(client: TestClient) -> None:
    stranger = {"Authorization": ""}
    answers = {path: client.get(path, headers=stranger) for path in ("/", "/healthz", "/readyz", "/nowhere")}

    told = [path for path, answer in answers.items() if code_version() in answer.text + str(answer.headers)]
    assert told == []
    assert client.get("/openapi.json", headers=stranger).json()["info"]["version"] == code_version()
    assert client.get("/v1/versions", headers=stranger).status_code == 401


def test_versions_shows_libraries_device_and_bundle(client: TestClient, bundle_folder: Path) -> None:
    body = client.get("/v1/versions").json()

    assert body["bundle"] == {"name": "tiny", "version": "1", "sha256": read_bundle(bundle_folder).sha256}
    assert body["bundles"] == 1
    assert set(body["versions"]) == {"loupe", "python", "torch", "rasterio", "gdal", "proj"}
    assert body["device"] == "cpu"


def test_every_link_of_the_landing_page_answers(client: TestClient) -> None:
    links = [link["href"] for link in client.get("/").json()["links"]]

    answers = {href: client.get(href).status_code for href in links}

    assert answers == dict.fromkeys(links, 200)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "no-such-route"),
        ("DELETE", "/v1/ledger", 405, "method-not-allowed"),
        ("GET", f"/v1/budgets/{NOBODY}", 404, "not-found"),
        ("GET", "/v1/budgets/not-a-uuid", 422, "invalid-request"),
    ],
)
def test_errors_are_problem_documents(
    client: TestClient, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path)

    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] not in {"Not Found", "Method Not Allowed", "Unprocessable Entity"}
    assert answer.json()["detail"].endswith(".")


@pytest.mark.parametrize("path", sorted({path for _, path in versioned_operations()}))
def test_refused_method_names_every_method_of_the_address(client: TestClient, path: str) -> None:
    accepted = {method for method, other in versioned_operations() if other == path}

    answer = client.request("TRACE", path)

    assert answer.status_code == 405
    assert answer.headers["allow"].split(", ") == sorted(
        accepted | ({"HEAD"} if "GET" in accepted else set())
    )


@pytest.mark.parametrize("escaped", ["%09", "%0A", "%0D", "%0B", "%20", "%22", "%23", "%3F", "%C3%A4"])
def test_escaped_characters_stay_part_of_the_address(client: TestClient, escaped: str) -> None:
    """Tabs, line breaks, `?` and `#` once were cut from the address: GET was refused, for GET."""
    address = f"/v1/proposals/{escaped}"
    invalid, refused = (client.request(method, address) for method in ("GET", "POST"))

    assert (invalid.status_code, invalid.json()["instance"]) == (422, address)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert refused.json()["detail"] == f"{address} does not accept POST. Use GET, HEAD."


def test_fixed_address_is_not_read_as_an_id(client: TestClient) -> None:
    """The router knows only POST here, and took `import` for the id of a price list."""
    answers = [client.request(method, "/v1/price-lists/import") for method in ("GET", "HEAD", "PATCH")]

    assert [(answer.status_code, answer.headers["allow"]) for answer in answers] == [(405, "POST")] * 3
    assert answers[0].json()["detail"] == "/v1/price-lists/import does not accept GET. Use POST."


def test_head_answers_like_get(client: TestClient) -> None:
    for path in ("/", "/v1/budgets", "/v1/orders", "/dashboard"):
        answers = {method: client.request(method, path) for method in ("GET", "HEAD")}
        assert answers["HEAD"].status_code == answers["GET"].status_code
        assert answers["HEAD"].headers["content-type"] == answers["GET"].headers["content-type"]


def test_unreadable_body_is_named(client: TestClient) -> None:
    answer = client.post("/v1/budgets", content=b"\xe8\x1d", headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("The body cannot be read")


def test_versioned_operations_are_found() -> None:
    assert ("POST", "/v1/budgets") in versioned_operations()


@pytest.mark.parametrize(("method", "path"), versioned_operations())
def test_no_route_answers_without_a_key(client: TestClient, method: str, path: str) -> None:
    """The list comes from the OpenAPI document, so a new route is tested as soon as it is added."""
    del client.headers["Authorization"]

    assert client.request(method, path).status_code == 401


def test_failing_commit_is_not_answered_as_a_success(client: TestClient, database: Database) -> None:
    """With FastAPI's default dependency scope the answer was 201, and the budget was not stored."""
    with database.sessions.begin() as session:
        session.execute(
            text("""
            CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''late''; END';
            CREATE CONSTRAINT TRIGGER fail_at_commit AFTER INSERT ON ledger.budget
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail();
            """)
        )

    assert client.post("/v1/budgets", json=BUDGET).status_code == 500
    assert client.get("/v1/budgets").json()["items"] == []


def test_lock_that_is_not_granted_is_answered_503(client: TestClient, database: Database) -> None:
    client.post("/v1/budgets", json=BUDGET)
    with database.sessions.begin() as session:
        session.execute(text("SELECT * FROM ledger.chain FOR UPDATE"))

        answer = client.post("/v1/budgets", json=BUDGET | {"name": "Second"})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["type"] == "/problems/unavailable"
    assert client.post("/v1/budgets", json=BUDGET | {"name": "Second"}).status_code == 201


def test_app_recovers_after_its_connections_were_cut(client: TestClient, database: Database) -> None:
    client.get("/v1/budgets")
    with database.sessions() as session:
        session.execute(
            text("""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()""")
        )

    assert client.get("/v1/budgets").status_code == 200


def test_connection_that_is_cut_before_its_first_query_is_answered_503(
    client: TestClient, database: Database
) -> None:
    """The pool has just found it alive; looking up the key once answered 500."""
    engine = client.app_state["database"].engine

    def cut(connection: Connection) -> None:
        pid = connection.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]
        with database.sessions() as session:
            session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    event.listen(engine, "begin", cut)
    answer = client.get("/v1/budgets")
    event.remove(engine, "begin", cut)

    assert code(answer) == (503, "unavailable")
    assert client.get("/v1/budgets").status_code == 200


def test_app_without_a_database_is_alive_and_not_ready(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, database_url="postgresql://nobody@127.0.0.1:1/nowhere")

    with TestClient(create_app(settings), headers={"Authorization": "Bearer any-key"}) as client:
        answers = {path: client.get(path) for path in ("/healthz", "/readyz", "/v1/budgets")}

    assert {path: answer.status_code for path, answer in answers.items()} == {
        "/healthz": 200,
        "/readyz": 503,
        "/v1/budgets": 503,
    }
    assert answers["/readyz"].json()["checks"]["database"] is False
    assert "127.0.0.1" not in answers["/v1/budgets"].text


def test_app_without_a_bundle_keeps_its_books(settings: Settings, tmp_path: Path) -> None:
    bare = settings.model_copy(update={"bundles": tmp_path / "nowhere"})

    with TestClient(create_app(bare), headers={"Authorization": "Bearer a-key-for-tests-only"}) as client:
        assert client.get("/readyz").json()["checks"]["bundle"] is False
        assert client.get("/v1/versions").json()["bundle"] is None
        assert client.get("/v1/ledger").status_code == 200
