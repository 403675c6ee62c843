"""Run the server of one checkout and collect what it publishes and plans."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

KEY = "a-key-for-the-comparison"
ADDRESS = re.compile(r"listens on (http://\S+)")
START_SECONDS = 300
OBJECTIVES: dict[str, dict[str, str]] = {
    "policy": {},
    "lambda": {"lambda": "2"},
    "max_cost": {"max_cost": "40.00"},
    "max_patches": {"max_patches": "9"},
    "target_accuracy": {"target_accuracy": "0.9"},
}
VIEWS = ("patches", "shapes", "bill", "curve")


def record_server(checkout: Path, rasters: list[Path]) -> Iterator[tuple[str, Any]]:
    """Yield (name, answer) of the OpenAPI document and of every raster's plans and their views."""
    with TemporaryDirectory(prefix="loupe-") as home, running(checkout, Path(home)) as url:
        headers = {"Authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=url, headers=headers, timeout=300) as client:
            yield "openapi", client.get("/openapi.json").json()
            prices = [one["name"] for one in _everything(client, "/v1/price-lists")]
            for raster in rasters:
                yield from _plans(client, raster, sorted(set(prices)))


def _plans(client: httpx.Client, raster: Path, prices: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield one document for each price list: five objectives, with the views of each plan."""
    for price_list in prices:
        answers = {
            name: _plan(client, raster, options | {"price_list": price_list})
            for name, options in OBJECTIVES.items()
        }
        yield f"{raster.stem}-{price_list.replace(':', '_').replace('/', '_')}", answers
        if all("status" in answer and answer["status"] >= 400 for answer in answers.values()):
            return  # the raster itself is refused, whatever the price


def _plan(client: httpx.Client, raster: Path, options: dict[str, str]) -> Any:
    made = client.post(
        "/v1/plans", params=options, content=raster.read_bytes(), headers={"Content-Type": "image/tiff"}
    )
    document = made.json()
    if made.status_code != 201:
        return document
    views = {view: client.get(f"/v1/plans/{document['id']}/{view}").json() for view in VIEWS}
    return {"plan": document, **views}


def _everything(client: httpx.Client, path: str) -> Iterator[Any]:
    page = client.get(path, params={"limit": 100}).json()
    yield from page["items"]


@contextmanager
def running(checkout: Path, home: Path) -> Iterator[str]:
    """Start a checkout's server on a free port of loopback; end it by its own process id."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOUPE_")}
    own = {
        "LOUPE_HOME": str(home), "LOUPE_HOST": "127.0.0.1", "LOUPE_PORT": "0", "LOUPE_API_KEY": KEY,
        "LOUPE_DEVICE": "cpu", "LOUPE_THREADS": "1", "PYTHONPATH": str(checkout),
    }  # fmt: skip
    log = home / "server.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"],
            env=inherited | own, cwd=home, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait(60)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while not (found := ADDRESS.search(text := log.read_text(errors="replace"))):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"The server did not start:\n{text}")
        time.sleep(0.1)
    return found[1]
