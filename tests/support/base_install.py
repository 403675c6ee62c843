"""A Python process that has the base requirements only, as after `pip install loupe-eo`."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
NAME = re.compile(r"[A-Za-z0-9._-]+")
OWN = ("loupe", "service", "models", "training")
BLOCKER = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

ABSENT = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, Absent())
"""
COMMAND = BLOCKER + "from service.cli import app; app(prog_name='loupe')"


def base_distributions() -> set[str]:
    """Return the base requirements of pyproject.toml and what these require, as normal names."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    found: set[str] = set()
    left = [_name(one) for one in wanted]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += _required_by(name)
    return found


def absent_modules() -> set[str]:
    """Return the top-level modules of this environment that the base requirements do not bring."""
    base = base_distributions()
    return {
        module
        for module, owners in packages_distributions().items()
        if module not in OWN and not {_normal(owner) for owner in owners} & base
    }


def run_in_base_install(
    code: str, *arguments: str, folder: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run code in a process that can import the project from `folder`, and nothing beyond the base."""
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "LOUPE_"))
    }
    command = [sys.executable, "-c", code, ",".join(sorted(absent_modules())), *arguments]
    return subprocess.run(
        command,
        env=plain | {"PYTHONPATH": str(folder)} | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def _required_by(name: str) -> Iterator[str]:
    """Yield what an installed distribution requires here, without its extras."""
    try:
        stated: Sequence[str] = requires(name) or ()
    except PackageNotFoundError:  # such as a requirement of another platform
        return
    yield from (_name(one) for one in stated if "extra ==" not in one)


def _name(requirement: str) -> str:
    found = NAME.match(requirement)
    assert found is not None, requirement
    return _normal(found[0])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
