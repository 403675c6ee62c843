"""`--json` of `loupe-train`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.commands import commands_of
from tests.support.training import write_data
from training.cli import app

COMMANDS = commands_of(app)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_json(command: str) -> None:
    assert "--json" in {option for parameter in COMMANDS[command].params for option in parameter.opts}


def test_check_prints_one_document_with_every_problem(tmp_path: Path) -> None:
    data = write_data(tmp_path / "d")
    (data / "train/class0/00.png").write_bytes(b"")

    done = CliRunner().invoke(app, ["data", "check", str(data), "--json"])
    found = json.loads(done.stdout)

    assert done.exit_code == 1
    assert {one["name"] for one in found["splits"]} == {"train", "test"}
    assert len(found["wrong"]) == 1
    assert "class0/00.png is empty" in found["wrong"][0]
