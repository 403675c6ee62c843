"""Logs of JSON objects: one line each, bounded, and never waited for."""

import json
import logging
import os
import select
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from service.errors import UnavailableError
from service.logs import JsonHandler, JsonLog, line_of, logging_to
from tests.support.waiting import eventually


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("hostile", ['"}\n{"log": "access"}', "a\r\nb", "\x85\u2028\x7f\x1b[2J", "\ud800"])
def test_hostile_text_stays_in_its_line(hostile: str) -> None:
    line = line_of({"path": hostile})

    assert line.removesuffix("\n").isprintable()
    assert line.isascii()
    assert json.loads(line) == {"path": hostile}


def test_log_appends_to_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    for number in range(2):
        log = JsonLog(str(tmp_path / "loupe.log"))
        log.add({"number": number})
        log.close()

    assert read(tmp_path / "loupe.log") == [{"number": 0}, {"number": 1}]
    assert (tmp_path / "loupe.log").stat().st_mode & 0o777 == 0o600


def test_moved_file_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "loupe.log"
    log = JsonLog(str(path))
    log.add({"number": 0})
    eventually(lambda: read(path) == [{"number": 0}])
    path.rename(tmp_path / "loupe.log.1")
    log.add({"number": 1})
    log.close()

    assert read(path) == [{"number": 1}]
    assert read(tmp_path / "loupe.log.1") == [{"number": 0}]


def test_lines_that_nobody_takes_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    source, sink = os.pipe()
    pipe, reader = os.fdopen(sink, "w"), os.fdopen(source)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", pipe)
        log = JsonLog("-", most_waiting=4)
    log.add({"text": "x" * 200_000})  # more than a pipe holds
    select.select([source], [], [])
    for number in range(99):
        log.add({"number": number})
    entries = map(json.loads, reader)
    told = next(entry["message"] for entry in entries if "message" in entry)
    reader.close()
    log.close()
    with suppress(BrokenPipeError):
        pipe.close()

    assert told == "95 lines were dropped here."


def test_messages_of_the_server_are_objects_with_their_traceback(tmp_path: Path) -> None:
    log = JsonLog(str(tmp_path / "loupe.log"))
    logger = logging.Logger("service.test")
    logger.addHandler(JsonHandler(log))
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        logger.exception("It failed for %s.", "a\nb")
    log.close()

    (entry,) = read(tmp_path / "loupe.log")
    assert (entry["log"], entry["level"], entry["logger"]) == ("server", "ERROR", "service.test")
    assert entry["message"] == "It failed for a\nb."
    assert entry["traceback"].endswith("ValueError: first\nsecond")
    assert entry["at"].endswith("Z")


def test_log_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="Set another LOUPE_LOG"), logging_to(str(tmp_path)):
        pass
