"""An embedded PostgreSQL with a clock that can be set while it runs, by Debian's libfaketime."""

import os
import subprocess
import sys
from pathlib import Path

from service.database.embedded import embedded_url
from tests.support.server import ROOT

LIBRARY = "faketime/libfaketime.so.1"
NOTICED_S = 1
"""Seconds for which the database keeps the time that it has read from the file."""


def start_database(home: Path, ahead_s: int) -> None:
    """Start the database of a state, which must not run, with a clock ahead by `ahead_s` seconds."""
    set_clock(home, ahead_s)
    command = [sys.executable, "-m", "tests.faults.clock", str(home), str(library())]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)


def set_clock(home: Path, ahead_s: int) -> None:
    """Set the clock of a database that `start_database` has started."""
    file = clock_file(home)
    file.write_text(f"{ahead_s:+d}\n")
    file.chmod(0o644)  # PostgreSQL may run as another user


def clock_file(home: Path) -> Path:
    return home / "clock"


def library() -> Path:
    """Return the path of libfaketime; FileNotFoundError, with what to install, if it is missing."""
    for folder in Path("/usr/lib").glob("*-linux-gnu"):
        if (folder / LIBRARY).exists():
            return folder / LIBRARY
    raise FileNotFoundError("The faults need libfaketime: apt-get install libfaketime")


def main(home: Path, preloaded: Path) -> None:
    """Start PostgreSQL, the only child of this process, and end as if killed, so that it goes on."""
    # Set here and not before: Python itself cannot sleep under libfaketime 0.9.10.
    os.environ |= {
        "LD_PRELOAD": str(preloaded),
        "FAKETIME_TIMESTAMP_FILE": str(clock_file(home)),
        "FAKETIME_CACHE_DURATION": str(NOTICED_S),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    embedded_url(home)
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
