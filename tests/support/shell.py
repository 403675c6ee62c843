"""Run the command line as a user does, in its own process."""

import os
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

    def run(self, *words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run `loupe` and return the finished process. `given` names a file for standard input."""
        command = [sys.executable, "-c", "from service.cli import app; app()", *words]
        with (self.folder / given if given else Path(os.devnull)).open("rb") as source:
            return subprocess.run(
                command,
                cwd=self.folder,
                env=self.environment,
                stdin=source,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )

    def loupe(self, *words: str, given: str | None = None) -> str:
        """Run `loupe`, require success and return its output. `given` names a file for standard input."""
        done = self.run(*words, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout
