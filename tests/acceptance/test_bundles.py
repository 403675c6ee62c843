"""An upgrade of the shipped bundle, as an operator does it, while an order is open."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loupe import Client
from models.bundle import dump_bundle, load_bundle
from tests.support.server import ROOT, ServerProcess, running_server
from tests.support.shell import Shell

STARTER = ROOT / "models" / "bundles" / "starter"
SAMPLE = ROOT / "examples" / "demo" / "sample"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Run a server with the shipped bundle in a folder of the operator's own."""
    folder = tmp_path / "bundles" / "starter"
    folder.mkdir(parents=True)
    for path in STARTER.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    with running_server(folder) as process:
        yield process


def test_order_is_classified_by_its_own_bundle_after_an_upgrade_and_a_restart(
    server: ServerProcess, tmp_path: Path
) -> None:
    shell = Shell(server, tmp_path)
    shell.loupe("budget", "create", "year", "1000", "USD")
    first = json.loads(shell.loupe("plan", str(SAMPLE / "lr.tif"), "--max-patches", "4", "--json"))
    order = json.loads(shell.loupe("order", first["id"], "--yes", "--json"))["id"]
    shell.loupe("deliver", order, str(SAMPLE / "hr.tif"))
    before = json.loads(shell.loupe("classify", order, "--json"))

    assert "Added ucmerced@99.0" in shell.loupe("bundles", "add", str(newer_starter(tmp_path / "newer")))
    assert "LOUPE_DEFAULT_BUNDLE is starter" in shell.loupe("bundles", "default", "ucmerced")
    server.default_bundle = ""
    assert "then use ucmerced@99.0" in Shell(server, tmp_path).loupe("bundles", "default", "ucmerced")
    assert server.stop() == 0
    server.start()
    shell = Shell(server, tmp_path)

    after = json.loads(shell.loupe("classify", order, "--json"))
    assert after["tiles"] == before["tiles"]
    assert after["provenance"]["bundle"] == first["provenance"]["bundle"]
    with server.client() as client:
        assert versions(client) == [("99.0", True), (first["provenance"]["bundle"]["version"], False)]
    assert "ucmerced@99.0" in shell.loupe("bundles", "list")
    plan = ("plan", str(SAMPLE / "lr.tif"), "--json")
    assert bundle_of(shell.loupe(*plan))["version"] == "99.0"
    old = first["provenance"]["bundle"]
    assert bundle_of(shell.loupe(*plan, "--bundle", f"ucmerced@{old['version']}")) == old
    refused = shell.run(*plan, "--bundle", "nobody")
    assert (refused.returncode, "this server holds ucmerced@99.0" in refused.stderr) == (3, True)


def newer_starter(folder: Path) -> Path:
    """Write a second version of the shipped bundle, whose classes have other names."""
    folder.mkdir()
    starter = load_bundle({path.name: path.read_bytes() for path in STARTER.iterdir()}, "classify")
    classes = starter.manifest.classes[::-1]
    for name, content in dump_bundle(starter, version="99.0", classes=classes).items():
        (folder / name).write_bytes(content)
    return folder


def versions(client: Client) -> list[tuple[str, bool]]:
    return [(one["version"], one["default"]) for one in client.items("/v1/bundles")]


def bundle_of(plan: str) -> Any:
    return json.loads(plan)["provenance"]["bundle"]


def test_broken_bundle_stops_the_start_in_one_sentence(server: ServerProcess, tmp_path: Path) -> None:
    assert server.stop() == 0
    (tmp_path / "bundles" / "starter" / "hr.safetensors").unlink()
    with pytest.raises(AssertionError, match="the server ended"):
        server.start()
    log = (server.home / "server.log").read_text()
    assert log.endswith("bundles/starter cannot be used. The bundle lacks hr.safetensors.\n")
    assert len(log.splitlines()) == 1
