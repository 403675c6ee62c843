"""The guide to the client library, and the wheel with its base requirements only, on a real server."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from tests.support.base_install import BLOCKER, COMMAND, base_distributions, run_in_base_install
from tests.support.server import KEY, ROOT, ServerProcess, make_mosaic, running_server

GUIDE = ROOT / "docs" / "client.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
REQUIREMENT = re.compile(r"^Requires-Dist: ([\w.-]+)(.*)$", re.MULTILINE)
MOSAIC = make_mosaic()
IMPORT = "import json, sys, loupe; print(json.dumps([loupe.__file__, sorted(sys.modules)]))"


@pytest.fixture(scope="module")
def server(bundle_folder: Path) -> Iterator[ServerProcess]:
    with running_server(bundle_folder) as process:
        yield process
        assert process.query("SELECT * FROM ledger.violations") == []
        assert process.stop() == 0


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, and unpack it as pip does: its packages are all that the project brings."""
    built, folder = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = built.glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_guide_runs_as_it_is_printed(
    server: ServerProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every block runs in the order of the page, and the money in the ledger is what the client was told."""
    (tmp_path / "scene.tif").write_bytes(MOSAIC.scene(8))
    (tmp_path / "bought.tif").write_bytes(MOSAIC.picture())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOUPE_URL", server.url)
    monkeypatch.setenv("LOUPE_API_KEY", KEY)
    blocks = BLOCK.findall(GUIDE.read_text())
    values: dict[str, Any] = {"__name__": "guide"}

    assert len(blocks) == 10
    for block in blocks:
        exec(compile(block, str(GUIDE), "exec"), values)  # noqa: S102  (the guide's own blocks)

    printed = capsys.readouterr().out
    size = (tmp_path / "bought.tif").stat().st_size
    assert "3 of 96 patches for " in printed
    assert f"{size} of {size} bytes sent" in printed
    assert values["receipt"].counts.settled == 3
    assert values["bill"]["cost"]["amount"] == str(values["plan"].cost.amount)
    assert values["savings"].currencies[0].savings.realised.amount == (
        values["plan"].baseline.amount - values["plan"].cost.amount
    )
    assert {tile.patches_used for tile in values["second"].tiles} - {0} != set()
    assert values["refusal"].code == "budget-exceeded"
    assert Decimal(values["refusal"].problem["required"]) == values["later"].cost.amount
    assert sum(charge.billed_cost for charge in values["charges"]) == server.settled_usd()
    assert values["ended"].status == "succeeded"


def test_wheel_states_base_requirements_and_extras(installed: Path) -> None:
    (metadata,) = installed.glob("loupe_eo-*.dist-info/METADATA")
    stated = REQUIREMENT.findall(metadata.read_text())
    base = {name for name, condition in stated if "extra ==" not in condition}
    server = {name for name, condition in stated if "extra == 'server'" in condition}

    assert base == {"anyio", "httpx", "pydantic", "python-dotenv", "rich", "typer"}
    assert {"torch", "fastapi", "sqlalchemy", "rasterio"} <= server
    assert not server & base_distributions()
    assert (installed / "loupe" / "py.typed").exists()


def test_base_install_brings_the_client_without_the_server(installed: Path) -> None:
    done = run_in_base_install(BLOCKER + IMPORT, folder=installed)

    assert done.stderr == ""
    where, modules = json.loads(done.stdout)
    assert Path(where).is_relative_to(installed)
    assert not {"service", "models", "training", "typer", "rich", "torch"} & set(modules)


def test_base_install_runs_the_command_line(installed: Path, server: ServerProcess) -> None:
    def loupe(*words: str) -> subprocess.CompletedProcess[str]:
        return run_in_base_install(COMMAND, *words, folder=installed, LOUPE_URL=server.url, LOUPE_API_KEY=KEY)

    scene = installed / "scene.tif"
    scene.write_bytes(MOSAIC.scene(8))
    planned = loupe("plan", str(scene), "--max-patches", "1", "--reuse", "none", "--json")
    assert (planned.returncode, planned.stderr) == (0, "")
    listed = loupe("plans", "list", "--json")
    newest = json.loads(listed.stdout)[0]
    assert newest["id"] == json.loads(planned.stdout)["id"]
    assert "From a scene to labels" in loupe("--help").stdout

    for command in (["serve"], ["keys", "list"], ["trace", "1"]):
        refused = loupe(*command)
        assert refused.returncode == 1
        assert "Install loupe-eo with its extra: loupe-eo[server]." in refused.stderr
        assert "Traceback" not in refused.stderr
