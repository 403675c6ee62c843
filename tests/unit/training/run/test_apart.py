"""Stages in processes of their own: all run, an error ends them, and so does the end of their parent."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from training.run.apart import train_apart

LONGEST_S = 60.0
PARENT = """
from functools import partial
from pathlib import Path

from tests.unit.training.run.test_apart import note_and_sleep, train_apart

if __name__ == "__main__":
    train_apart([partial(note_and_sleep, Path({folder!r}), "slow")], 2)
"""


def note(folder: Path, name: str) -> None:
    (folder / name).write_text(f"{os.getpid()} {torch.get_num_threads()}")


def fail() -> None:
    raise ValueError("This stage has no data.")


def note_and_sleep(folder: Path, name: str) -> None:
    note(folder, name)
    time.sleep(LONGEST_S)


def wait_for(file: Path) -> str:
    until = time.monotonic() + LONGEST_S
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < until, f"{file.name} was never written"
        time.sleep(0.05)
    return file.read_text()


def wait_for_end(pid: int) -> None:
    until = time.monotonic() + LONGEST_S / 2
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < until, f"process {pid} still runs"
        time.sleep(0.05)


def test_train_apart_runs_every_task_in_processes_that_share_the_threads(tmp_path: Path) -> None:
    train_apart([partial(note, tmp_path, name) for name in "abc"], at_once=2)
    noted = [(tmp_path / name).read_text().split() for name in "abc"]
    assert str(os.getpid()) not in [pid for pid, _ in noted]
    assert {threads for _, threads in noted} == {"1"}


def test_train_apart_raises_the_error_of_a_task_and_ends_the_others(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(ValueError, match="no data"):
        train_apart([fail, partial(note_and_sleep, tmp_path, "slow")], at_once=2)
    assert time.monotonic() - begun < LONGEST_S


def test_processes_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    file = tmp_path / "parent.py"
    file.write_text(PARENT.format(folder=str(tmp_path)))
    with subprocess.Popen([sys.executable, str(file)], env={**os.environ, "PYTHONPATH": "."}) as parent:
        try:
            worker = int(wait_for(tmp_path / "slow").split()[0])
        finally:
            parent.send_signal(signal.SIGKILL)
    wait_for_end(worker)
