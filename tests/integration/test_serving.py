"""The start of the server: its database, its first key, its socket."""

import asyncio
import socket
from pathlib import Path

import pytest

from service.access.keys import id_of
from service.errors import UnavailableError
from service.serving import listen, prepare, run
from tests.support.bundles import make_settings
from tests.support.databases import administer, url_of


def test_prepare_refuses_a_database_that_is_not_migrated(server: str, tmp_path: Path) -> None:
    administer(server, "CREATE DATABASE not_migrated")
    settings = make_settings(tmp_path, database_url=url_of(server, "not_migrated"))

    with pytest.raises(UnavailableError, match="loupe db upgrade"):
        prepare(settings)

    administer(server, "DROP DATABASE not_migrated WITH (FORCE)")


def test_prepare_reports_a_database_that_does_not_answer(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, database_url="postgresql://nobody@127.0.0.1:1/nothing")

    with pytest.raises(UnavailableError, match="LOUPE_DATABASE_URL"):
        prepare(settings)


def test_prepare_makes_no_key_beside_the_operators(database_url: str, tmp_path: Path) -> None:
    settings = make_settings(tmp_path, database_url=database_url, api_key="an-operators-own-key")

    assert prepare(settings) is None


def test_broken_bundle_stops_the_start_before_the_first_key_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("service.serving.signal.signal", lambda *_: None)  # this process keeps its own
    (tmp_path / "bundles" / "broken").mkdir(parents=True)
    (tmp_path / "bundles" / "broken" / "manifest.json").write_text("{")
    # A database that would be reported if the start came that far.
    settings = make_settings(tmp_path, database_url="postgresql://nobody@127.0.0.1:1/nothing", port=0)

    assert run(settings.model_copy(update={"bundles": tmp_path / "bundles"})) == 1

    shown = "".join(capsys.readouterr())
    assert "broken" in shown
    assert "LOUPE_DATABASE_URL" not in shown


def test_listen_disables_delays_of_accepted_connections() -> None:
    assert asyncio.run(nodelay_of_accepted_connection()) != 0


async def nodelay_of_accepted_connection() -> int:
    """Serve on the server's own socket as uvicorn does; return TCP_NODELAY of the connection it accepts."""
    found = asyncio.get_running_loop().create_future()

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = writer.get_extra_info("socket")
        found.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listener = listen("127.0.0.1", 0)
    async with await asyncio.start_server(accept, sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname())
        option = int(await asyncio.wait_for(found, 30))
        writer.close()
        await writer.wait_closed()
    return option


def test_prepare_says_that_the_operators_former_key_was_revoked(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for value in ("an-operators-own-key", "an-operators-second-key", "an-operators-own-key"):
        prepare(make_settings(tmp_path, database_url=database_url, api_key=value))

    former = id_of("an-operators-own-key")
    assert f"the operator's former key was revoked: {former}." in caplog.text
    assert f"The key of LOUPE_API_KEY is revoked and opens nothing: {former}." in caplog.text
