"""Published heads: signed, numbered, chained, and compared with the ledger by the audit."""

import json
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from uuid import UUID

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.repository import create_workspace
from service.app import create_app
from service.database.engine import Database
from service.ledger import writer
from service.ledger.audit import audit_ledger
from service.ledger.files_audit import audit_files
from service.ledger.findings import Finding
from service.ledger.heads import Head
from service.ledger.publishing import Publisher, publish_heads, published_files, read_published, signing_key
from service.settings import Settings
from tests.proofs.forgeries import RECHAIN
from tests.support.money import cents


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(folder=tmp_path / "heads", key=signing_key(tmp_path / "heads.key"))


@pytest.fixture
def published(database: Database, workspace_id: UUID, publisher: Publisher) -> Publisher:
    """Publish twice, with a budget opened in between."""
    for name in ("one", "two"):
        with database.sessions.begin() as session:
            writer.create_budget(session, workspace_id, name, cents(100))
        assert publish_heads(database, publisher) is not None
    return publisher


def broken(publisher: Publisher) -> list[str]:
    return [one.subject for one in read_published(publisher) if isinstance(one, Finding)]


def test_published_heads_are_found_in_untouched_books(database: Database, published: Publisher) -> None:
    noted = [one for one in read_published(published) if isinstance(one, Head)]

    assert (len(noted), broken(published)) == (2, [])
    with database.sessions() as session:
        assert list(audit_ledger(session, noted)) == []


def test_published_heads_reveal_a_rewritten_chain(database: Database, published: Publisher) -> None:
    noted = [one for one in read_published(published) if isinstance(one, Head)]
    with database.sessions() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE ledger.budget SET name = 'three' WHERE name = 'one'"))
        session.execute(text(RECHAIN))
        assert {one.rule.split()[0] for one in audit_ledger(session, noted)} == {"C2"}
        assert list(audit_ledger(session, [])) == []


def test_unchanged_heads_are_published_once(database: Database, published: Publisher) -> None:
    assert publish_heads(database, published) is None
    assert [path.name for path in published_files(published.folder)] == [
        "heads-00000001.json", "heads-00000002.json",
    ]  # fmt: skip


@pytest.mark.parametrize("change", ["edit", "remove", "forge"])
def test_changed_and_missing_files_are_found(published: Publisher, change: str) -> None:
    first = published_files(published.folder)[0]
    if change == "remove":
        first.unlink()
    else:
        content = json.loads(first.read_text())
        content["heads"][0]["seq"] += 1
        first.write_text(json.dumps(content) if change == "edit" else "{}")

    assert broken(published)


def test_files_signed_with_another_key_are_found(published: Publisher, tmp_path: Path) -> None:
    other = Publisher(folder=published.folder, key=signing_key(tmp_path / "other.key"))

    assert broken(other) == ["heads-00000001.json", "heads-00000002.json"]


def test_signing_key_is_kept_and_private(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "heads.key"

    assert signing_key(path) == signing_key(path)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[bytes]]]:
    """Serve an address that keeps what is posted to it."""
    received: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by its base class
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/heads", received
    server.shutdown()
    server.server_close()


def test_server_publishes_by_itself_and_to_its_webhook(
    settings: Settings, database: Database, workspace_id: UUID, webhook: tuple[str, list[bytes]]
) -> None:
    address, received = webhook
    with database.sessions.begin() as session:
        writer.create_budget(session, workspace_id, "published", cents(100))

    with TestClient(create_app(settings.model_copy(update={"heads_url": address}))):
        pass

    (file,) = published_files(settings.published_heads)
    assert received == [file.read_bytes()]
    assert json.loads(file.read_text())["heads"][0]["workspace"] == str(workspace_id)


def test_file_that_the_webhook_did_not_take_is_sent_again(
    database: Database, published: Publisher, webhook: tuple[str, list[bytes]]
) -> None:
    address, received = webhook
    with database.sessions.begin() as session:
        writer.create_budget(session, create_workspace(session, "another").id, "three", cents(100))

    with pytest.raises(httpx.HTTPError):
        publish_heads(database, replace(published, webhook=f"{address.rpartition(':')[0]}:1/heads"))
    assert publish_heads(database, replace(published, webhook=address)) is None

    assert received == [published_files(published.folder)[-1].read_bytes()]
    publish_heads(database, replace(published, webhook=address))
    assert len(received) == 1


@pytest.mark.usefixtures("plan")
def test_audit_of_files_finds_a_changed_and_a_missing_file(database: Database, settings: Settings) -> None:
    with database.sessions() as session:
        assert list(audit_files(session, settings.blobs)) == []
        changed, missing = (path for path in sorted(settings.blobs.rglob("*")) if path.is_file())
        changed.write_bytes(b"forged")
        missing.unlink()
        found = [one.subject.split(": ")[1] for one in audit_files(session, settings.blobs)]
    assert sorted(found) == ["changed", "missing"]
