"""The proxy in `docker/`: TLS, names, and what it says of its clients, with Debian's nginx."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.server import KEY, ROOT, ServerProcess, running_server

NAME = "loupe.example"


@pytest.fixture(scope="module")
def nginx() -> str:
    """Return the path of nginx; a test run without it says so."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        pytest.skip("nginx is missing, so docker/nginx.conf was not checked (apt-get install nginx-light).")
    return found


@pytest.fixture(scope="module")
def server(bundle_folder: Path) -> Iterator[ServerProcess]:
    with running_server(
        bundle_folder,
        LOUPE_TRUSTED_PROXIES="127.0.0.1",
        LOUPE_TRUSTED_HOSTS=NAME,
        LOUPE_REQUESTS_PER_STRANGER="60",
    ) as process:
        yield process


@pytest.fixture(scope="module")
def ports(server: ServerProcess, nginx: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    """Run nginx with the configuration of `docker/`, on other ports; return those of HTTP and HTTPS."""
    folder = tmp_path_factory.mktemp("nginx")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={NAME}",
         "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", "privkey.pem", "-out", "fullchain.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    http, https = free_port(), free_port()
    text = (ROOT / "docker" / "nginx.conf").read_text()
    for written, used in {
        "/etc/loupe/tls/": f"{folder}/",
        "pid /run/nginx.pid;": f"pid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n",
        "listen 80": f"listen 127.0.0.1:{http}",
        "listen 443": f"listen 127.0.0.1:{https}",
        "http://127.0.0.1:8000": server.url,
        "access_log off;": f"client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;",
    }.items():
        assert written in text
        text = text.replace(written, used)
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen(
        [nginx, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log"), "-g", "daemon off;"]
    )
    try:
        wait_for(https, process)
        yield [http, https]
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            assert process.poll() is None, "nginx does not take the configuration"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def client(ports: list[int]) -> Iterator[httpx.Client]:
    """Connect over TLS to the name; the certificate is the test's own."""
    with httpx.Client(
        base_url=f"https://127.0.0.1:{ports[1]}",
        headers={"Host": NAME, "Authorization": f"Bearer {KEY}"},
        verify=False,  # noqa: S501  (made by this test)
        trust_env=False,
    ) as client:
        yield client


def get(client: httpx.Client, path: str, **headers: str) -> httpx.Response:
    return client.get(path, headers=headers, extensions={"sni_hostname": NAME})


def test_proxy_serves_over_tls_and_asks_browsers_to_stay_there(client: httpx.Client) -> None:
    answer = get(client, "/v1/budgets")
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"] == "max-age=63072000"


def test_proxy_leads_plain_http_to_its_own_name(ports: list[int]) -> None:
    answer = httpx.get(f"http://127.0.0.1:{ports[0]}/docs", headers={"Host": NAME}, trust_env=False)
    assert (answer.status_code, answer.headers["location"]) == (301, f"https://{NAME}/docs")


def test_proxy_answers_no_other_name(ports: list[int]) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"http://127.0.0.1:{ports[0]}/", headers={"Host": "evil.example"}, trust_env=False)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", ports[1]), timeout=30) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="evil.example")


def test_server_believes_the_proxy_that_the_client_came_over_tls(client: httpx.Client) -> None:
    answer = client.post(
        "/dashboard/login", data={"key": KEY}, extensions={"sni_hostname": NAME}, follow_redirects=False
    )
    assert answer.status_code == 303
    assert answer.headers["set-cookie"].startswith("__Host-")
    assert "Secure" in answer.headers["set-cookie"]


def test_client_cannot_claim_another_address(client: httpx.Client) -> None:
    """A stranger who could would have a new quota with every request."""
    del client.headers["Authorization"]
    claimed = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(5)]
    left = [get(client, "/docs", **one).headers["ratelimit"] for one in claimed]
    assert len(set(left)) > 1
    assert all(one.startswith('"address";r=') for one in left)
