"""Standard output of `loupe-train` whose reader leaves before the end."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pipes import Ended, unread
from tests.support.training import write_data
from training.run.output import UNREAD

TRAIN = "from training.cli import app; app()"
APART = """
from functools import partial
from training.run.apart import train_apart

train_apart([partial(print, "a line of progress", flush=True)] * 2, 2)
"""
SIGPIPE = Ended(UNREAD, "")


@pytest.mark.parametrize("words", [("--help",), ("--version",)])
def test_command_without_a_reader_ends_as_by_sigpipe(words: tuple[str, ...]) -> None:
    assert unread(TRAIN, *words) == SIGPIPE


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_findings_without_a_reader_end_as_by_sigpipe(tmp_path: Path, more: tuple[str, ...]) -> None:
    data = write_data(tmp_path / "d")
    (data / "train/class0/00.png").write_bytes(b"")

    ended = unread(TRAIN, "data", "check", str(data), *more)

    assert ended.code == UNREAD
    assert "Traceback" not in ended.stderr


def test_stages_apart_without_a_reader_end_as_by_sigpipe() -> None:
    assert unread(APART) == SIGPIPE


@pytest.mark.parametrize("words", [("--help",), ("--version",)])
def test_full_disk_is_one_sentence(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", TRAIN, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert (done.returncode, done.stderr) == (1, "Error: The output: No space left on device\n")
