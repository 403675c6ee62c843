"""The audit log: what it holds, who reads it, and that nobody can change or flood it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from psycopg.errors import InsufficientPrivilege, RestrictViolation
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from service.access.caller import FILES, IMAGERY
from service.access.events import Event, EventKind, escaped, record
from service.access.keys import id_of, new_key
from service.access.notes import MOST_OF_A_KIND, Notes
from service.access.repository import create_key, create_workspace
from service.access.roles import Role
from service.access.tables import AuditEvent, Workspace
from service.app import create_app
from service.cli import app
from service.database.engine import Database
from service.settings import Settings
from tests.support.dashboard import sign_in, sign_out
from tests.support.databases import KEY
from tests.support.ordering import code

Noted = Callable[..., list[dict[str, Any]]]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def noted(client: TestClient, database: Database) -> Noted:
    """Return a reader of the log that lets the server write its notes first; newest first."""

    def read(kind: EventKind) -> list[dict[str, Any]]:
        notes = client.app_state["notes"]
        notes.write(database)
        items: list[dict[str, Any]] = client.get("/v1/audit", params={"kind": kind}).json()["items"]
        return items

    return read


def test_keys_are_logged_with_what_changed(client: TestClient, noted: Noted) -> None:
    made = client.post("/v1/keys", json={"name": "office", "role": "buyer"}).json()
    rotated = client.post(f"/v1/keys/{made['id']}/rotate", json={"role": "viewer"}).json()
    client.post(f"/v1/keys/{rotated['id']}/revoke")

    created = noted(EventKind.KEY_CREATED)[0]
    assert (created["key"], created["subject"]) == (id_of(KEY), made["id"])
    assert created["detail"] == {"name": "office", "role": "buyer"}
    replaced = noted(EventKind.KEY_ROTATED)[0]
    assert (replaced["subject"], replaced["detail"]["replaces"]) == (rotated["id"], made["id"])
    assert replaced["detail"]["role"] == "viewer"
    assert noted(EventKind.KEY_REVOKED)[0]["subject"] == rotated["id"]
    for key in (made["key"], rotated["key"]):
        assert key[15:] not in client.get("/v1/audit").text


def test_refused_change_of_a_key_is_not_logged(client: TestClient, noted: Noted) -> None:
    assert code(client.post(f"/v1/keys/{id_of(KEY)}/revoke")) == (409, "last-key")

    assert noted(EventKind.KEY_REVOKED) == []


def test_signing_in_and_out_is_logged(client: TestClient, noted: Noted) -> None:
    sign_in(client)
    sign_out(client)

    for kind in (EventKind.SIGNED_IN, EventKind.SIGNED_OUT):
        (event,) = noted(kind)
        assert (event["key"], event["address"]) == (id_of(KEY), "testclient")


def test_refused_keys_are_counted_in_the_workspace_of_the_key(
    client: TestClient, noted: Noted, database: Database, workspace_id: UUID
) -> None:
    with database.sessions.begin() as session:
        key = create_key(session, session.get_one(Workspace, workspace_id), "tried")
    for _ in range(3):
        client.get("/v1/me", headers=bearer(key[:-1] + "_"))
    client.post("/dashboard/login", data={"key": key[:-1] + "_"})
    client.post(f"/v1/keys/{id_of(key)}/revoke")
    client.get("/v1/me", headers=bearer(key))

    revoked, wrong = sorted(noted(EventKind.REFUSED_KEY), key=lambda event: event["detail"]["reason"])
    assert (revoked["detail"]["reason"], revoked["times"], revoked["key"]) == ("revoked", 1, id_of(key))
    assert (wrong["detail"]["reason"], wrong["times"], wrong["address"]) == ("wrong", 4, "testclient")


def test_unknown_keys_leave_a_trace_without_their_text(
    client: TestClient, noted: Noted, database: Database
) -> None:
    client.get("/v1/me", headers=bearer("somebody's-password"))
    assert noted(EventKind.REFUSED_KEY) == []

    with database.sessions() as session:
        (row,) = session.scalars(select(AuditEvent).where(AuditEvent.kind == EventKind.REFUSED_KEY))
    assert (row.workspace_id, row.key_id, row.detail) == (None, None, {"reason": "unknown"})


def test_refused_role_is_logged(
    client: TestClient, noted: Noted, database: Database, workspace_id: UUID
) -> None:
    with database.sessions.begin() as session:
        key = create_key(session, session.get_one(Workspace, workspace_id), "reader", Role.VIEWER)
    client.post("/v1/orders", headers=bearer(key))

    (event,) = noted(EventKind.REFUSED_ROLE)
    assert (event["key"], event["subject"], event["detail"]) == (
        id_of(key), "create_order", {"role": "viewer"},
    )  # fmt: skip


def test_exports_are_logged_and_reading_is_not(client: TestClient, noted: Noted) -> None:
    client.post("/dashboard/login", data={"key": KEY})
    for path in ("/v1/ledger", "/v1/budgets", "/dashboard"):
        client.get(path)
    client.get("/v1/ledger", params={"format": "csv"})
    client.get("/v1/reports/savings", headers={"Accept": "text/csv"})
    client.get("/dashboard/plans.csv")

    events = [(event["subject"], event["detail"]["format"]) for event in noted(EventKind.EXPORTED)]
    assert sorted(events) == [
        ("/dashboard/plans.csv", "csv"), ("/v1/ledger", "csv"), ("/v1/reports/savings", "csv"),
    ]  # fmt: skip


def test_every_operation_that_sends_a_file_is_an_export(client: TestClient) -> None:
    """Fail for a new operation that sends files until it is listed."""
    sending = {
        operation["operationId"]
        for methods in client.get("/openapi.json").json()["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        if status == "200" and {"text/csv", "image/tiff"} & set(answer.get("content", {}))
    }

    assert sending == FILES | IMAGERY


def test_flood_of_different_refusals_makes_few_rows(database: Database, workspace_id: UUID) -> None:
    notes = Notes()
    for number in range(10_000):
        notes.event(Event(EventKind.REFUSED_KEY, address=f"10.0.{number // 250}.{number % 250}"))
    notes.event(Event(EventKind.REFUSED_KEY, workspace_id, address="10.0.0.1"))
    notes.event(Event(EventKind.EXPORTED, subject="/v1/ledger"))
    notes.write(database)

    with database.sessions() as session:
        query = select(AuditEvent.kind, func.count(), func.sum(AuditEvent.times)).group_by(AuditEvent.kind)
        found = {kind: (rows, times) for kind, rows, times in session.execute(query)}
        theirs = session.scalars(select(AuditEvent).where(AuditEvent.workspace_id == workspace_id)).all()
    assert found[EventKind.REFUSED_KEY] == (MOST_OF_A_KIND + 2, 10_001)
    assert [one.address for one in theirs if one.kind == EventKind.REFUSED_KEY] == ["10.0.0.1"]
    assert found[EventKind.EXPORTED] == (1, 1)


def test_notes_are_kept_while_the_database_is_away(database: Database) -> None:
    notes = Notes()
    for _ in range(2):
        notes.event(Event(EventKind.EXPORTED, subject="/v1/ledger"))
        with pytest.raises(AttributeError):
            notes.write(None)  # type: ignore[arg-type]
    notes.write(database)
    notes.write(database)

    with database.sessions() as session:
        (row,) = session.scalars(select(AuditEvent).where(AuditEvent.kind == EventKind.EXPORTED))
    assert row.times == 2


def test_notes_are_written_when_the_server_stops(settings: Settings, database: Database) -> None:
    with TestClient(create_app(settings), headers=bearer(new_key())) as client:
        assert client.get("/v1/me").status_code == 401

    with database.sessions() as session:
        assert session.scalar(select(AuditEvent.times).where(AuditEvent.kind == EventKind.REFUSED_KEY)) == 1


@pytest.mark.parametrize(
    "change", ["UPDATE audit_event SET times = 9", "DELETE FROM audit_event", "TRUNCATE audit_event"]
)
def test_nobody_changes_the_log(
    database: Database, serving_url: str, workspace_id: UUID, change: str
) -> None:
    with database.sessions.begin() as session:
        record(session, Event(EventKind.EXPORTED, workspace_id))
    serving = create_engine(serving_url, connect_args={"options": "-c loupe.workspace=*"})
    for engine, refusal in ((database.engine, RestrictViolation), (serving, InsufficientPrivilege)):
        with pytest.raises(DBAPIError) as refused, engine.begin() as connection:
            connection.execute(text(change))
        assert isinstance(refused.value.orig, refusal)
    serving.dispose()


def test_log_has_no_control_characters(client: TestClient, database: Database, workspace_id: UUID) -> None:
    with database.sessions.begin() as session:
        record(session, Event(EventKind.EXPORTED, workspace_id, subject="a\x00b\x1b[31m\u202ec" + "d" * 300))

    subject = client.get("/v1/audit", params={"kind": "exported"}).json()["items"][0]["subject"]
    assert subject.startswith("a\\u0000b\\u001b[31m\\u202ecd")
    assert (len(subject), escaped(None)) == (200, None)


def test_log_comes_in_pages_of_the_own_workspace(client: TestClient, database: Database) -> None:
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    for number in range(3):
        client.post("/v1/keys", json={"name": f"key {number}"})

    page = client.get("/v1/audit", params={"limit": 2}).json()
    (onward,) = (link["href"] for link in page["links"] if link["rel"] == "next")
    rest = client.get(onward).json()
    names = [event["detail"]["name"] for event in page["items"] + rest["items"]]
    assert names[:3] == ["key 2", "key 1", "key 0"]
    theirs = client.get("/v1/audit", headers=bearer(stranger)).json()["items"]
    assert {event["kind"] for event in theirs} == {"workspace-created", "key-created"}


def test_audit_command_shows_the_server(
    client: TestClient, database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = Notes()
    notes.event(Event(EventKind.REFUSED_KEY, address="192.0.2.7", detail={"reason": "unknown"}))
    notes.write(database)
    client.post("/v1/keys", json={"name": "office"})
    monkeypatch.setenv("LOUPE_DATABASE_URL", database_url)

    shown = CliRunner().invoke(app, ["audit", "--server"]).output
    assert "192.0.2.7" in shown
    assert "reason unknown" in shown
    assert "name office" in shown
    refused = CliRunner().invoke(app, ["audit", "--server", "--kind", "refused-key"]).output
    assert "name office" not in refused
