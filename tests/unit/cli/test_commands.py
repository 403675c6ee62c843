"""The help of every command."""

from typing import get_args

import pytest

from service.cli.connection import Radiometry
from service.imagery.radiometry import RADIOMETRIES
from tests.support.command_line import loupe

COMMANDS = [
    "serve", "plan", "order", "approve", "deliver", "classify", "ledger", "ledger adjust", "savings",
    "trace", "budget create", "budget limit", "budget terms", "budget list", "keys create", "orders expire",
    "db upgrade", "db grant",
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_command_has_help_and_is_listed_in_the_overview(command: str) -> None:
    overview = loupe("--help").stdout
    done = loupe(*command.split(), "--help")

    assert command.split(maxsplit=1)[0] in overview
    assert done.exit_code == 0
    assert f"{command} [OPTIONS]" in done.stdout


def test_radiometry_option_lists_every_name() -> None:
    option = get_args(Radiometry)[1]

    assert [name for name in RADIOMETRIES if name not in option.help] == []
