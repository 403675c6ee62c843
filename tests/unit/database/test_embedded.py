"""Files of a killed PostgreSQL are removed, and those of a living server stay."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from service.database.embedded import forget_dead_server, forget_dead_users

LEFT_BEHIND = ("postmaster.pid", ".s.PGSQL.5432", ".s.PGSQL.5432.lock")


def leave_behind(folder: Path, first_line: str) -> None:
    """Write the lock files of a server that noted `first_line` as its process id."""
    for name in LEFT_BEHIND:
        (folder / name).write_text(f"{first_line}\n{folder}\n")


def left(folder: Path) -> list[str]:
    return [name for name in LEFT_BEHIND if (folder / name).exists()]


@pytest.fixture
def zombie() -> int:
    """Yield the id of a process that ended and was not waited for."""
    process = os.fork()
    if process == 0:
        os._exit(0)
    while psutil.Process(process).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("first_line", ["4194304", "", "nonsense"], ids=["gone", "cut short", "damaged"])
def test_forget_dead_server_removes_files_of_an_ended_process(tmp_path: Path, first_line: str) -> None:
    leave_behind(tmp_path, first_line)

    forget_dead_server(tmp_path)

    assert left(tmp_path) == []


def test_forget_dead_server_removes_files_naming_an_unrelated_process(tmp_path: Path) -> None:
    """Process ids are used again, above all in a container."""
    leave_behind(tmp_path, str(os.getpid()))

    forget_dead_server(tmp_path)

    assert left(tmp_path) == []


def test_forget_dead_server_removes_files_naming_a_zombie(tmp_path: Path, zombie: int) -> None:
    leave_behind(tmp_path, str(zombie))

    forget_dead_server(tmp_path)
    os.waitpid(zombie, 0)

    assert left(tmp_path) == []


def start_postgres_lookalike(folder: Path) -> subprocess.Popen[bytes]:
    """Run a process named postgres in `folder`."""
    program = folder / "postgres"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([program, "30"], cwd=folder)
    while psutil.Process(process.pid).name() != "postgres":
        time.sleep(0.01)
    return process


def test_forget_dead_server_keeps_files_of_a_living_server(tmp_path: Path) -> None:
    with start_postgres_lookalike(tmp_path) as process:
        leave_behind(tmp_path, str(process.pid))

        forget_dead_server(tmp_path)
        process.kill()

    assert left(tmp_path) == list(LEFT_BEHIND)


def test_forget_dead_server_waits_for_its_backends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backends still write to shared memory: a second server beside them would damage the data."""
    monkeypatch.setattr("service.database.embedded.PATIENCE_S", 0.2)
    with start_postgres_lookalike(tmp_path) as backend:
        leave_behind(tmp_path, "4194304")

        with pytest.raises(RuntimeError, match="its processes still use"):
            forget_dead_server(tmp_path)
        backend.kill()

    assert left(tmp_path) == list(LEFT_BEHIND)


def test_forget_dead_users_removes_killed_processes(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    listed = tmp_path / ".handle_pids.json"
    listed.write_text(json.dumps([ended.pid, os.getpid()]))

    forget_dead_users(tmp_path)

    assert json.loads(listed.read_text()) == [os.getpid()]


def test_forget_dead_users_removes_zombies(tmp_path: Path, zombie: int) -> None:
    listed = tmp_path / ".handle_pids.json"
    listed.write_text(json.dumps([zombie, os.getpid()]))

    forget_dead_users(tmp_path)
    os.waitpid(zombie, 0)

    assert json.loads(listed.read_text()) == [os.getpid()]


@pytest.mark.parametrize("content", [None, "", "[]"])
def test_forget_dead_users_accepts_a_list_without_users(tmp_path: Path, content: str | None) -> None:
    listed = tmp_path / ".handle_pids.json"
    if content is not None:
        listed.write_text(content)

    forget_dead_users(tmp_path)

    assert not listed.exists() or json.loads(listed.read_text()) == []
