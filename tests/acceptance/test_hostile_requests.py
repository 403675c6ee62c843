"""The hostile inputs of the threat model, sent to the real server: each is refused, and changes nothing.

Attacks on GDAL and on the decoder are in tests/unit/geotiff, deliveries to other orders and workspaces in
tests/integration, and outages in test_outages.py.
"""

import gzip
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from service.bounded_warnings import LINES
from tests.mutants.judging import ACCEPTED, Verdicts
from tests.mutants.over_http import sending
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.listening import Listener, attacks, listening, secret_files
from tests.support.rasters import raw_vrt, vrt, wms
from tests.support.raw import send_raw, status_of
from tests.support.server import KEY, ServerProcess, running_server
from tests.unit.geotiff.test_hostile_files import HOSTILE

TIFF = {"Content-Type": "image/tiff"}
PUNYCODE = {"Content-Type": "multipart/form-data; boundary=x; charset=punycode"}
BEARER = f"Authorization: Bearer {KEY}\r\n".encode()
HEAD = b"POST /v1/plans HTTP/1.1\r\nHost: loupe\r\nContent-Type: image/tiff\r\n" + BEARER
TABLES = "plan", "scene", "ledger.transfer", "delivered_file", "idempotency"
MUTANTS = 100
SCENE_LIMIT = 32 * 1024 * 1024
SCRIPT = "<script>alert('tag')</script>"


@pytest.fixture(scope="module")
def server(bundle_folder: Path) -> Iterator[ServerProcess]:
    with running_server(bundle_folder) as process:
        yield process


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=120, trust_env=False) as client:
        yield client


@pytest.fixture
def unchanged(server: ServerProcess) -> Iterator[None]:
    """Check that the test leaves no row and no file, and no error in the log."""
    before = traces(server)
    yield
    assert traces(server) == before
    assert "Traceback" not in log_of(server)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as listener:
        yield listener


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    return secret_files(tmp_path)


def traces(server: ServerProcess) -> list[int]:
    """Count the rows of TABLES and the stored files."""
    rows = [int(server.query(f"SELECT count(*) FROM {table}")[0][0]) for table in TABLES]
    return [*rows, sum(path.is_file() for path in (server.home / "blobs").rglob("*"))]


def log_of(server: ServerProcess) -> str:
    return (server.home / "server.log").read_text(errors="replace")


def refused(answer: httpx.Response) -> tuple[int, str]:
    """Return status and code of a refusal, which is a problem document that says what to do."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["detail"].endswith(".")
    return answer.status_code, problem["type"].removeprefix("/problems/")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_refused(client: httpx.Client, name: str) -> None:
    factory, status, code = HOSTILE[name]

    assert refused(client.post("/v1/plans", content=factory(), headers=TIFF)) == (status, code)


@pytest.mark.usefixtures("unchanged")
def test_files_that_lead_elsewhere_reach_no_network_and_no_file(
    client: httpx.Client, listener: Listener, secrets: dict[str, str]
) -> None:
    """Send what makes an unlocked GDAL open a file or an address, with somebody listening there."""
    url = f"/vsicurl/{listener.url}"
    documents = [vrt(url), vrt(secrets["local-tif"]), raw_vrt("/etc/passwd"), wms(listener.url)]
    for document in documents:
        answer = client.post("/v1/plans", content=document.encode(), headers=TIFF)
        assert refused(answer) == (415, "not-a-geotiff")
    for name, body in attacks(listener, secrets).items():
        answer = client.post("/v1/plans", content=body, headers=TIFF)
        assert refused(answer)[0] == 422, name  # its one band is read, and is too few

    assert listener.hits == 0


def pack(size: int) -> bytes:
    return gzip.compress(bytes(size))


def parts(count: int) -> dict[str, Any]:
    return {"files": [("scene", ("a.tif", make_geotiff())), *[(f"f{n}", (None, "x")) for n in range(count)]]}


def punycode_form(length: int) -> bytes:
    """Return a form whose one field takes a minute to decode: each of its letters moves all others."""
    value = b"a" * length + b"-" + b"b" * length
    return b'--x\r\nContent-Disposition: form-data; name="scene"\r\n\r\n' + value + b"\r\n--x--\r\n"


def endless() -> Iterator[bytes]:
    """Yield a body without a length that goes on beyond every limit."""
    while True:
        yield b"\0" * 1024 * 1024


REQUESTS: dict[str, tuple[Callable[[], dict[str, Any]], tuple[int, str]]] = {
    "larger than the limit": (lambda: {"content": b"II*\0" + bytes(SCENE_LIMIT)}, (413, "body-too-large")),
    "without a length and an end": (lambda: {"content": endless()}, (413, "body-too-large")),
    "a compressed body": (
        lambda: {"content": pack(64 * 1024 * 1024), "headers": TIFF | {"Content-Encoding": "gzip"}},
        (415, "unsupported-media-type"),
    ),
    "a form in a charset that is slow to read": (
        lambda: {"content": punycode_form(500_000), "headers": PUNYCODE},
        (415, "unsupported-media-type"),
    ),
    "another media type": (
        lambda: {"content": make_geotiff(), "headers": {"Content-Type": "text/html"}},
        (415, "unsupported-media-type"),
    ),
    "two files": (
        lambda: {"files": [("scene", ("a.tif", make_geotiff())), ("scene", ("b.tif", make_geotiff()))]},
        (422, "invalid-request"),
    ),
    "10,001 fields": (lambda: parts(10_001), (400, "malformed-request")),
    "a place that rounds to nothing": (
        lambda: {"content": make_geotiff(gsd_m=1e-310)},
        (422, "georeference-unusable"),
    ),
    "a band too few": (lambda: {"content": make_geotiff(make_pixels(2))}, (422, "bands-missing")),
    "pixels of 100 m": (lambda: {"content": make_geotiff(gsd_m=100.0)}, (422, "gsd-too-coarse")),
    "nothing but NaN": (
        lambda: {"content": make_geotiff(np.full((3, 16, 24), np.nan, np.float32))},
        (422, "no-valid-pixels"),
    ),
}
"""Requests for a plan, and the refusals that answer them."""


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", REQUESTS)
def test_hostile_request_is_refused(client: httpx.Client, name: str) -> None:
    make, wanted = REQUESTS[name]
    request = make()
    if "files" not in request:
        request.setdefault("headers", TIFF)

    assert refused(client.post("/v1/plans", **request)) == wanted


@pytest.mark.usefixtures("unchanged")
def test_contradicting_lengths_end_the_connection(server: ServerProcess) -> None:
    """A proxy and a server that read different ends let a client smuggle a request into another's."""
    both = HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    two = HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nII*\0\0"
    for request in (both, two):
        answer = send_raw(server.url, request)
        assert status_of(answer) == 400
        assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.usefixtures("unchanged")
def test_body_beyond_its_length_is_no_second_request(server: ServerProcess) -> None:
    body = make_geotiff()
    answer = send_raw(server.url, HEAD + b"Content-Length: 8\r\n\r\n" + body)

    assert status_of(answer) == 422
    assert b"HTTP/1.1 400" in answer  # the rest is no request, and the connection is closed


@pytest.mark.usefixtures("unchanged")
def test_upload_that_is_broken_off_leaves_nothing(server: ServerProcess, client: httpx.Client) -> None:
    for method in (b"POST /v1/plans", b"PUT /v1/orders/" + b"0" * 32 + b"/deliveries"):
        head = HEAD.replace(b"POST /v1/plans", method) + b"Content-Length: 1000000\r\n\r\n"
        send_raw(server.url, head + make_geotiff(), ends=True)
    assert client.get("/v1/plans").status_code == 200
    assert "ERROR" not in log_of(server)


@pytest.mark.usefixtures("unchanged")
def test_malformed_requests_do_not_fill_the_log(server: ServerProcess) -> None:
    before = len(log_of(server).splitlines())
    for _ in range(5 * LINES):
        assert status_of(send_raw(server.url, b"no request at all\r\n\r\n")) == 400
    lines = log_of(server).splitlines()[before:]

    assert 0 < len(lines) <= LINES
    assert "More such lines are left out" in lines[-1]


def test_mutated_uploads_are_taken_or_refused(server: ServerProcess) -> None:
    """Send the first numbers of `make prove-rasters`, as scenes and as deliveries."""
    verdicts = Verdicts()
    with sending(server) as read:
        for number in range(MUTANTS):
            verdicts.add(number, read)

    assert verdicts.faults == []
    assert verdicts.outcomes[ACCEPTED] > 0
    assert "Traceback" not in log_of(server)


def zipped(body: bytes) -> bytes:
    """Append an archive to a file, which then is both."""
    memory = io.BytesIO(body)
    with zipfile.ZipFile(memory, "a") as packed:
        packed.writestr("evil.html", SCRIPT)
    return memory.getvalue()


def test_file_that_is_two_things_is_stored_and_sent_as_a_tiff(client: httpx.Client) -> None:
    body = zipped(make_geotiff(tags={"TIFFTAG_IMAGEDESCRIPTION": SCRIPT, "NAME": SCRIPT}))
    form = {"scene": (f"../../../tmp/{SCRIPT}.html", body, "text/html")}
    planned = client.post("/v1/plans", files=form)
    assert planned.status_code == 201
    sent = client.get(f"/v1/plans/{planned.json()['id']}/scene.tif")

    assert sent.content == body
    assert sent.headers["content-type"] == "image/tiff"
    assert sent.headers["x-content-type-options"] == "nosniff"
    assert SCRIPT not in sent.headers.get("content-disposition", "")


def test_texts_of_a_file_reach_neither_log_nor_page(server: ServerProcess, client: httpx.Client) -> None:
    pixels = np.tile(make_pixels(), (1, 2, 1))
    assert client.post("/v1/plans", content=make_geotiff(pixels, tags={"NAME": SCRIPT}), headers=TIFF)
    with httpx.Client(base_url=server.url, timeout=120, trust_env=False, follow_redirects=True) as browser:
        page = browser.post("/dashboard/login", data={"key": KEY}, headers={"Origin": server.url})

    assert page.status_code == 200
    assert SCRIPT not in page.text
    assert SCRIPT not in log_of(server)
