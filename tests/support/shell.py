"""The command line as a user runs it, in a process of its own."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.server import KEY, ServerProcess

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Shell:
    """Runs `loupe` in a folder, with what a user would have set."""

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self.folder = folder
        self.environment = server.environment | {"LOUPE_URL": server.url, "LOUPE_API_KEY": KEY}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The finished process, whatever its exit status."""
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
        """What a command that succeeds prints."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout
