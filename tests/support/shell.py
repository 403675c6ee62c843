"""Run the command line as a user does, in its own process."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.server import KEY, ServerProcess

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Shell:
    """A folder and the environment in which a user runs `loupe`."""

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self.folder = folder
        self.environment = server.environment | {"LOUPE_URL": server.url, "LOUPE_API_KEY": KEY}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `loupe` and return the finished process."""
        command = [sys.executable, "-c", "from service.cli import app; app()", *words]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def loupe(self, *words: str) -> str:
        """Run `loupe`, require success and return its output."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout
