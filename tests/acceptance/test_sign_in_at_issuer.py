"""Sign-in at an issuer in headless Chromium, against a real server process and a real provider.

The browser knows the server as localhost and the issuer as 127.0.0.1: two sites, so strict cookies of one are
not sent along with what the other began.
"""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page

from tests.support.issuer import CLIENT, SECRET, LocalIssuer
from tests.support.server import ServerProcess, running_server
from tests.support.shell import Shell


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    issuer = LocalIssuer()
    yield issuer
    issuer.close()


@pytest.fixture(scope="module")
def server(bundle_folder: Path, issuer: LocalIssuer) -> Iterator[ServerProcess]:
    """Start a server that trusts the issuer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "LOUPE_PORT": str(port),
        "LOUPE_PUBLIC_URL": f"http://localhost:{port}",
        "LOUPE_OIDC_ISSUER": issuer.url,
        "LOUPE_OIDC_NAME": "Example Org",
        "LOUPE_OIDC_CLIENT_ID": CLIENT,
        "LOUPE_OIDC_CLIENT_SECRET": SECRET,
    }
    with running_server(bundle_folder, None, **settings) as process:
        yield process
        assert process.query("SELECT * FROM ledger.violations") == []
        assert process.stop() == 0


def test_person_signs_in_at_the_issuer_reads_and_is_removed(
    page: Page, server: ServerProcess, issuer: LocalIssuer, tmp_path: Path
) -> None:
    shell = Shell(server, tmp_path)
    site = server.url.replace("127.0.0.1", "localhost")
    page.goto(f"{site}/dashboard")
    page.get_by_role("link", name="Sign in with Example Org").click()
    page.get_by_role("alert").wait_for()
    assert "loupe people add ada" in page.get_by_role("alert").inner_text()

    added = shell.loupe("people", "add", "ada", "--name", "Ada Lovelace", "--role", "buyer")
    page.get_by_role("link", name="Sign in with Example Org").click()
    page.get_by_text("Ada Lovelace, buyer").wait_for()
    assert page.url == f"{site}/dashboard"
    me = httpx.get(f"{server.url}/v1/me", headers=issuer.bearer()).json()
    assert (me["key"]["subject"], me["key"]["role"]) == ("ada", "buyer")

    shell.loupe("people", "remove", added.rpartition(" ")[2].strip())
    page.goto(f"{site}/dashboard")
    assert page.url == f"{site}/dashboard/login"
    assert httpx.get(f"{server.url}/v1/me", headers=issuer.bearer()).status_code == 403
