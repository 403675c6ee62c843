"""Attempts to escape from the decoding process, with code that runs inside it after a flaw in a codec."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from service.geotiff.sandbox import LAYERS

ROOT = Path(__file__).parents[3]
NOBODY = 65_534
USERS = [None, NOBODY] if os.getuid() == 0 else [None]
"""Root and an ordinary user, or only the ordinary user who runs the tests."""

SERVER = """
import ctypes, json, os, socket, sys
from service.geotiff import confinement
from service.privacy import keep_private
keep_private()
if (user := int(sys.argv[4])) != os.getuid():
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
child = os.fork()
if child:
    os.waitpid(child, 0)
else:
    exec(sys.argv[1])
"""
"""The server: it holds a secret, and runs the attempts in a child. It is a fork without a program of its own,
because an ordinary user may not be allowed to read the interpreter's files."""

CHILD = """
from pathlib import Path
folder, server, tcp = Path(sys.argv[2]), os.getppid(), int(sys.argv[3])
libc = ctypes.CDLL(None, use_errno=True)

def call(name, *arguments):
    result = getattr(libc, name)(*arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), name)
    return result

def connect(family, address):
    with socket.socket(family) as link:
        link.connect(address)

def ptrace():
    call("ptrace", 16, server, 0, 0)  # PTRACE_ATTACH

def read_memory():
    text = ctypes.create_string_buffer(8)
    spans = (ctypes.c_void_p * 2)(ctypes.addressof(text), 8)
    call("process_vm_readv", server, spans, 1, spans, 1, 0)

ATTEMPTS = {
    "environment": lambda: Path(f"/proc/{server}/environ").read_bytes().index(b"lp_live_secret"),
    "memory": lambda: open(f"/proc/{server}/mem", "rb"),
    "memory by call": read_memory,
    "ptrace": ptrace,
    "signal": lambda: os.kill(server, 0),
    "limits of the server": lambda: call("prlimit", server, 7, None, ctypes.create_string_buffer(16)),
    "list of files": lambda: os.listdir(folder / "blobs"),
    "file": lambda: (folder / "blobs" / "file").read_bytes(),
    "new file": lambda: (folder / "blobs" / "new").touch(),
    "password file": lambda: Path("/etc/passwd").read_text(),
    "shared memory": lambda: os.listdir("/dev/shm"),
    "shared memory by call": lambda: call("shmget", 1, 8, 0o1600),
    "socket of the database": lambda: connect(socket.AF_UNIX, str(folder / "socket")),
    "abstract socket": lambda: connect(socket.AF_UNIX, "\\0loupe-" + str(tcp)),
    "loopback": lambda: connect(socket.AF_INET, ("127.0.0.1", tcp)),
    "datagram": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", tcp)),
    "program": lambda: os.execv(sys.executable, [sys.executable, "-c", "print('{}')"]),
    "process": lambda: os.fork() or os._exit(0),
    "superuser": lambda: os.chroot("/"),
}

def outcome(attempt):
    try:
        attempt()
    except (OSError, ValueError) as error:
        return type(error).__name__
    return "escaped"

def report(layers):
    found = {name: outcome(attempt) for name, attempt in ATTEMPTS.items()}
    print(json.dumps({"layers": layers, "found": found}), flush=True)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """Make a folder with a stored file, as a server does, that every user may use."""
    with TemporaryDirectory(prefix="loupe-sandbox-") as name:  # an ordinary user reaches no tmp_path
        folder = Path(name)
        (folder / "blobs").mkdir()
        (folder / "blobs" / "file").write_bytes(b"imagery")
        for path in (folder, folder / "blobs"):
            path.chmod(0o777)
        yield folder


@pytest.fixture
def listeners(home: Path) -> Iterator[int]:
    """Sockets that answer: TCP on loopback, whose port is returned, one of a path and an abstract one."""
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as database,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        port = tcp.getsockname()[1]
        database.bind(str(home / "socket"))
        (home / "socket").chmod(0o777)
        abstract.bind(f"\0loupe-{port}")
        for listener in (database, abstract):
            listener.listen()
        yield port


def attempt(home: Path, port: int, user: int | None, confining: str) -> dict[str, dict[str, str]]:
    """Run every attempt in a child of a server that holds a secret, as this user."""
    ran = subprocess.run(
        [sys.executable, "-c", SERVER, CHILD + confining, str(home), str(port), str(user or os.getuid())],
        env={"PYTHONPATH": str(ROOT), "LOUPE_API_KEY": "lp_live_secret"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.stdout, ran.stderr
    answer: dict[str, dict[str, str]] = json.loads(ran.stdout.splitlines()[-1])
    return answer


CONFINED = "report(confinement.confine([]))"


@pytest.mark.parametrize("user", USERS)
def test_confined_code_escapes_by_none_of_the_ways(home: Path, listeners: int, user: int | None) -> None:
    answer = attempt(home, listeners, user, CONFINED)
    assert set(answer["layers"]) == set(LAYERS)
    assert "escaped" not in answer["found"].values(), answer["found"]


@pytest.mark.parametrize("lost", ["landlock", "seccomp", "namespaces"])
def test_one_lost_layer_leaves_secret_and_network_closed(home: Path, listeners: int, lost: str) -> None:
    functions = {"landlock": "restrict_files", "seccomp": "restrict_calls", "namespaces": "leave_network"}
    without = f"confinement.{functions[lost]} = lambda *_: False; "
    answer = attempt(home, listeners, None, without + CONFINED)
    assert lost not in answer["layers"]
    for way in ("environment", "memory", "ptrace", "loopback", "program"):
        assert answer["found"][way] != "escaped", way


def test_unconfined_code_escapes(home: Path, listeners: int) -> None:
    """The control: without the confinement nearly every attempt succeeds."""
    answer = attempt(
        home, listeners, None, '[ATTEMPTS.pop(way) for way in ("program", "ptrace")]; report([])'
    )
    for way in ("file", "new file", "list of files", "socket of the database", "loopback", "signal"):
        assert answer["found"][way] == "escaped", way


def test_confined_code_reads_only_the_named_folders(home: Path, listeners: int) -> None:
    reading = f"report(confinement.confine([{str(home)!r}]))"
    answer = attempt(home, listeners, None, reading)
    assert answer["found"]["file"] == "escaped"
    assert answer["found"]["password file"] != "escaped"
    assert answer["found"]["new file"] != "escaped"
