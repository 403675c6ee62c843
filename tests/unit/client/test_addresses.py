"""Addresses at which no Loupe server can be reached."""

import socket
import ssl
from collections.abc import Iterator
from threading import Thread

import httpx
import pytest

from loupe import Client, NoServerError, Retries
from loupe.addresses import without_answer
from tests.support.command_line import loupe

ONCE = Retries(attempts=1)


@pytest.fixture
def plain() -> Iterator[str]:
    """Serve without TLS, and yield the address with https://."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        Thread(target=answer, daemon=True).start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"


def test_server_without_tls_is_not_said_to_be_silent(plain: str) -> None:
    with Client(plain, "a-key", retries=ONCE) as client, pytest.raises(NoServerError) as caught:
        client.me()

    assert caught.value.reason
    assert str(caught.value).startswith(f"No secure connection to {plain} can be made: ")


def test_command_states_the_fault_of_tls(plain: str) -> None:
    done = loupe("me", "--url", plain, "--api-key", "a-key")

    assert done.exit_code == 5
    assert done.stderr.startswith("Error: No secure connection to https://127.0.0.1")


def test_certificate_that_is_not_trusted_is_named() -> None:
    cause = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    cause.verify_message = "self-signed certificate"
    error = httpx.ConnectError("failed")
    error.__cause__ = cause

    assert str(without_answer("https://loupe.test", error)) == (
        "No secure connection to https://loupe.test can be made: self-signed certificate.\n"
        "Check the certificate of the server. Without TLS, its address begins with http://."
    )


def test_silent_address_has_no_fault_of_tls() -> None:
    found = without_answer("http://loupe.test", httpx.ConnectError("refused"))

    assert isinstance(found, NoServerError)
    assert found.reason is None
