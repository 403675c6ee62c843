"""Standard output whose reader leaves before the end."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from service.cli.output import UNREAD, Output
from tests.support.command_line import PLAN
from tests.support.pipes import Ended, first_line, unread

LOUPE = "from service.cli import app; app()"
SIGPIPE = Ended(UNREAD, "")
PLANS = [
    PLAN | {"created_at": "2026-11-29T10:00:00Z", "savings": {"billable": PLAN["cost"]}, "name": "x" * 90}
    for _ in range(100)
]


class Plans(BaseHTTPRequestHandler):
    """A server with more plans than a pipe holds."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"items": PLANS, "links": [{"rel": "next", "href": "/v1/plans?cursor=1"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Leave the output of the tests alone."""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Start the server; return the environment of a command that asks it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Plans) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield {
            "LOUPE_URL": f"http://127.0.0.1:{server.server_port}", "LOUPE_API_KEY": "a-key",
            "XDG_CONFIG_HOME": str(tmp_path),
        }  # fmt: skip
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_command_into_head_ends_as_by_sigpipe(environment: dict[str, str], more: tuple[str, ...]) -> None:
    line, ended = first_line(LOUPE, "plans", "list", "--limit", "1000", *more, env=environment)

    assert line.split()[:1] == (["["] if more else ["Plan"])
    assert ended == SIGPIPE


@pytest.mark.parametrize(
    "words",
    [("--help",), ("--version",), ("plans", "list", "--help"), ("plans", "list"), ("profiles", "list")],
)
def test_command_without_a_reader_ends_as_by_sigpipe(
    environment: dict[str, str], words: tuple[str, ...]
) -> None:
    assert unread(LOUPE, *words, env=environment) == SIGPIPE


def test_failure_keeps_its_code_where_nobody_reads(environment: dict[str, str]) -> None:
    ended = unread(LOUPE, "plans", "list", env=environment | {"LOUPE_URL": "http://127.0.0.1:9"})

    assert ended.code == 5
    assert "No Loupe server answers" in ended.stderr


def test_command_with_a_closed_descriptor_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$0" -c "{LOUPE}" profiles list >&-', sys.executable],
        env=os.environ | {"XDG_CONFIG_HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")


def test_thread_whose_output_nobody_reads_does_not_end_the_command() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    found: list[BaseException] = []

    def write() -> None:
        try:
            with Output(writer, "w") as output:
                output.write(b"x")
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()

    assert [type(one) for one in found] == [BrokenPipeError]


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("plans", "list", "--help")])
def test_full_disk_is_one_sentence(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", LOUPE, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert (done.returncode, done.stderr) == (1, "Error: The output: No space left on device\n")
