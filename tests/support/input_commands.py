"""The commands of docs/inputs.md, run as written on files made in the forms that they are for."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.cases import unlocked_environment
from tests.support.server import KEY, ROOT, ServerProcess

BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
SHELL = """set -eu
loupe() { "$PYTHON" -c 'from service.cli import app; app()' "$@"; }
"""


def documented_commands() -> dict[str, list[str]]:
    """Return the blocks of commands of each heading in the section "Commands"."""
    page = (ROOT / "docs" / "inputs.md").read_text()
    section = page.split("\n## Commands\n")[1].split("\n## ")[0]
    parts = [part.partition("\n") for part in section.split("\n### ")[1:]]
    return {heading: BLOCK.findall(text) for heading, _, text in parts}


def make_forms(folder: Path) -> None:
    """Write a file of each form into a folder, with GDAL's drivers for them."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.support.forms", str(folder)]
    environment = unlocked_environment() | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, env=environment, cwd=ROOT, check=True, timeout=120)


def run_commands(
    commands: str, form: Path, folder: Path, server: ServerProcess, order: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a block of commands with bash in a copy of a form's folder."""
    shutil.copytree(form, folder)
    own = {
        "LOUPE_URL": server.url,
        "LOUPE_API_KEY": KEY,
        "ORDER": order,
        "PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}:{server.environment['PATH']}",
    }
    return subprocess.run(
        ["bash", "-c", SHELL + commands],
        cwd=folder,
        env=unlocked_environment() | own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
