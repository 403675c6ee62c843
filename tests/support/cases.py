"""The cases of the shared folder: inputs that people report of other readers, each with its right answer."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from service.geotiff import gdal_lock
from tests.support.server import KEY, ROOT, ServerProcess

# Read at import, because a fixture of the tests hides the variables of this machine.
SCRIPT = Path(os.environ.get("LOUPE_CASES", ROOT.parent / "shared" / "cases")) / "realworld.py"
VERDICT = re.compile(r"^(?:pass|FAIL)(?: guard)?  \w+/([\w-]+): .*$", re.MULTILINE)


def case_names(script: Path = SCRIPT) -> tuple[str, ...]:
    """Return the names of a script's cases in its order; none when it does not exist."""
    if not script.is_file():
        return ()
    spec = importlib.util.spec_from_file_location("realworld_cases", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return tuple(case.name for case in module.CASES)


def unlocked_environment() -> dict[str, str]:
    """Return this process's environment without the lock that keeps GDAL to GeoTIFF."""
    return {name: value for name, value in os.environ.items() if name not in gdal_lock.ENVIRONMENT}


def judge_cases(server: ServerProcess, names: Sequence[str], script: Path = SCRIPT) -> dict[str, str]:
    """Run cases against a server and return the line of each: `pass` or `FAIL`, then what was observed.

    They run in a process of their own, because this one's GDAL is locked and cannot write their files.
    """
    done = subprocess.run(
        [sys.executable, str(script), server.url, KEY, *names],
        env=unlocked_environment() | {"TMPDIR": str(server.home)},  # their files go when the server's do
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    verdicts = {found[1]: found[0] for found in VERDICT.finditer(done.stdout)}
    assert verdicts.keys() == set(names), f"Some cases gave no verdict.\n{done.stdout}\n{done.stderr}"
    return verdicts
