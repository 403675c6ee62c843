"""Commands that the documentation shows with their output, run again."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.server import ROOT, ServerProcess

BLOCK = re.compile(r"^( *)```console\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r'^( *)```\w+ title="([^"]+)"\n(.*?)^ *```$', re.MULTILINE | re.DOTALL)
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
VOLATILE = re.compile(
    rf"{UUID}|loupe_\S+|(?<=127\.0\.0\.1:)\d+|\d{{4}}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?"
)
"""What differs from run to run: ids, keys, ports and times."""
LEFT_OUT = "..."
"""A line that stands for any number of lines."""
COLUMNS = "92"
"""Width of the terminal, so that lines fit a page."""
Run = Callable[[str], list[str]]


def pattern(shown: list[str]) -> re.Pattern[str]:
    """Return what matches an output that differs from the shown one only in what is volatile or left out."""
    parts = []
    for line in shown:
        texts = VOLATILE.split(line)
        volatile = "(" + VOLATILE.pattern + ")"
        parts.append("(?:.*\n)*?" if line == LEFT_OUT else volatile.join(map(re.escape, texts)) + "\n")
    return re.compile("".join(parts))


def matches(shown: list[str], printed: list[str]) -> bool:
    """Return whether an output is the shown one."""
    return pattern(shown).fullmatch("".join(f"{line}\n" for line in printed)) is not None


def entries(block: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a block with the lines that it shows below."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = part.rstrip("\n").split("\n")
        yield command, shown


def blocks(page: str) -> Iterator[list[tuple[str, list[str]]]]:
    """Yield the commands with their shown lines of each block of a page."""
    for _, inner in (dedented(block) for block in BLOCK.finditer(page)):
        yield list(entries(inner))


def dedented(block: re.Match[str]) -> tuple[str, str]:
    """Return the indent of a block, and its text without it."""
    return block[1], re.sub(rf"^{block[1]}", "", block[block.lastindex or 0], flags=re.MULTILINE)


class Replay:
    """A run of the commands of one page, which knows the run's ids by those that the page shows."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._ids: dict[str, str] = {}

    def page(self, text: str) -> str:
        """Return a page with its outputs of now. One that matches what is shown stays as it is."""
        return BLOCK.sub(self._block, text)

    def _block(self, block: re.Match[str]) -> str:
        indent, inner = dedented(block)
        lines: list[str] = ["```console"]
        for command, shown in entries(inner):
            lines += [f"$ {command}", *self._output(command, shown)]
        return "\n".join((indent + line).rstrip() for line in [*lines, "```"])

    def _output(self, command: str, shown: list[str]) -> list[str]:
        printed = self._run(re.sub(UUID, lambda found: self._ids.get(found[0], found[0]), command))
        old, new = (re.findall(UUID, "\n".join(lines)) for lines in (shown, printed))
        if len(old) == len(new):
            self._ids |= dict(zip(old, new, strict=True))
        if matches(shown, printed):
            return shown
        known = {now: old for old, now in self._ids.items()}
        return [re.sub(UUID, lambda found: known.get(found[0], found[0]), line) for line in printed]


class DocumentedShell:
    """A bash in an empty folder beside a server, in which `loupe` is this version's."""

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        log = (server.home / "server.log").read_text().splitlines()
        self._server_lines = [line for line in log if line.startswith(("Loupe listens", "API key"))]
        key = self._server_lines[1].split()[-1]
        (folder / "examples").symlink_to(ROOT / "examples")
        environment = server.environment | {
            "LOUPE_URL": server.url,
            "LOUPE_API_KEY": key,
            "COLUMNS": COLUMNS,
            "PYTHON": sys.executable,
        }
        self._process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._send('loupe() { "$PYTHON" -c \'from service.cli import app; app()\' "$@"; }')

    def __enter__(self) -> Self:
        """Return the shell."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the shell."""
        self._process.communicate(timeout=60)

    def run(self, command: str) -> list[str]:
        """Run a command and return the lines that it prints. The server that runs has its own."""
        return self._server_lines if command == "make serve" else self._send(command)

    def _send(self, command: str) -> list[str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        mark = f"end-of-{os.urandom(8).hex()}"
        # Commands must not read the commands that follow them.
        self._process.stdin.write(f"{{ {command}\n}} < /dev/null\necho {mark}\n")
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            if line == f"{mark}\n":
                break
            lines.append(line.rstrip())
        return lines[: max((place + 1 for place, line in enumerate(lines) if line), default=0)]


def write_titled_files(page: str, folder: Path) -> None:
    """Write the blocks of a page that name a file as their title."""
    for block in FILE.finditer(page):
        (folder / block[2]).write_text(dedented(block)[1])


def replayed(path: Path, server: ServerProcess, folder: Path) -> str:
    """Return a page with the outputs that its commands print in an empty folder beside a new server."""
    page = path.read_text()
    write_titled_files(page, folder)
    with DocumentedShell(server, folder) as shell:
        return Replay(shell.run).page(page)


ELSEWHERE: Mapping[str, str] = {
    "make demo": "tests/acceptance/test_demo.py",
    "python -m tests.evidence deliveries": "tests/unit/evidence/test_deliveries.py",
    # GDAL's own programs, for readers who have them; the same steps with rio are run.
    "gdal": "tests/acceptance/test_input_commands.py",
}
"""Commands that other tests run: the demo, measurements on data of their own, and forms of files."""


def is_elsewhere(command: str) -> bool:
    """Return whether another test runs a command, or the same step."""
    return command.startswith(tuple(ELSEWHERE))
