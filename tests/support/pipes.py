"""Commands whose output goes into a pipe that nobody reads to its end."""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import NamedTuple


class Ended(NamedTuple):
    """The end of a command: its exit code, and what it wrote on standard error."""

    code: int
    stderr: str


def unread(program: str, *words: str, env: Mapping[str, str] | None = None) -> Ended:
    """Run Python code whose output goes into a pipe without a reader."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-c", program, *words],
            stdout=writer, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})}, text=True, timeout=120, check=False,
        )  # fmt: skip
    finally:
        os.close(writer)
    return Ended(done.returncode, done.stderr)


def first_line(program: str, *words: str, env: Mapping[str, str] | None = None) -> tuple[str, Ended]:
    """Run Python code into `head -1`; return the line, and how the code ended."""
    with subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **(env or {})}, text=True,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stderr is not None
        head = subprocess.run(
            ["head", "-1"], stdin=running.stdout, capture_output=True, text=True, check=True
        )
        running.stdout.close()
        stderr = running.stderr.read()
    return head.stdout, Ended(running.returncode, stderr)
