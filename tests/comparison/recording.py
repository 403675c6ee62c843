"""Run the server of one checkout and collect what it publishes and plans."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

KEY = "a-key-for-the-comparison"
ADDRESS = re.compile(r"listens on (http://\S+)")
START_SECONDS = 300
MOST_TILES = 500
OTHERS: dict[str, dict[str, str]] = {
    "lambda": {"lambda": "2"},
    "max_cost": {"max_cost": "40.00"},
    "max_patches": {"max_patches": "9"},
    "target_accuracy": {"target_accuracy": "0.9"},
}
VIEWS = ("patches", "shapes", "bill", "curve")


def record_server(checkout: Path, rasters: list[Path], known: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Yield (name, answer) of the OpenAPI document and of every raster's plans, without those in `known`."""
    with TemporaryDirectory(prefix="loupe-") as home, running(checkout, Path(home)) as url:
        headers = {"Authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=url, headers=headers, timeout=300) as client:
            yield "openapi", client.get("/openapi.json").json()
            prices = client.get("/v1/price-lists", params={"limit": 100}).json()["items"]
            for raster in rasters:
                for one in prices:
                    name = f"{raster.stem}-{one['name'].replace('/', '_')}"
                    if name not in known:
                        yield name, _answers(client, raster.read_bytes(), one["name"])


def _answers(client: httpx.Client, scene: bytes, price_list: str) -> dict[str, Any]:
    """Plan a scene under five objectives and one price list; a refusal under the first is the only answer."""
    first = _plan(client, scene, {"price_list": price_list})
    if "plan" not in first:
        return {"policy": first}
    if first["plan"]["scene"]["columns"] * first["plan"]["scene"]["rows"] > MOST_TILES:
        return {"policy": first}  # the others take minutes each where shapes decide the price
    others = {name: _plan(client, scene, {**one, "price_list": price_list}) for name, one in OTHERS.items()}
    return {"policy": first, **others}


def _plan(client: httpx.Client, scene: bytes, options: dict[str, str]) -> Any:
    made = client.post("/v1/plans", params=options, content=scene, headers={"Content-Type": "image/tiff"})
    document = made.json()
    if made.status_code != 201:
        return document
    views = {view: client.get(f"/v1/plans/{document['id']}/{view}").json() for view in VIEWS}
    return {"plan": document, **views}


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
