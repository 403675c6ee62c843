"""Secrets of the server: gone from its environment, also where the kernel shows it to others."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVER = """
import os, sys
from pathlib import Path
from service.privacy import SECRETS, keep_private
if sys.argv[1] == "private":
    keep_private()
shown = Path("/proc/self/environ").read_bytes()
dumpable = __import__("ctypes").CDLL(None).prctl(3, 0, 0, 0, 0)
print(b"lp_live_secret" in shown, "LOUPE_API_KEY" in os.environ, b"LOUPE_HOME=/srv" in shown, dumpable)
"""


@pytest.mark.parametrize(
    ("mode", "expected"), [("private", "False False True 0"), ("open", "True True True 1")]
)
def test_private_process_shows_no_secret_and_allows_no_tracing(mode: str, expected: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SERVER, mode],
        env={"PYTHONPATH": str(ROOT), "LOUPE_API_KEY": "lp_live_secret", "LOUPE_HOME": "/srv"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == expected.split()
