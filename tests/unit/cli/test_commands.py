"""The commands of the command line: each explains itself."""

import pytest

from tests.support.command_line import loupe

COMMANDS = [
    "serve", "plan", "order", "approve", "deliver", "classify", "ledger", "ledger adjust", "savings",
    "trace", "budget create", "budget limit", "budget terms", "budget list", "keys create", "orders expire",
    "db upgrade", "db grant",
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    overview = loupe("--help").stdout
    done = loupe(*command.split(), "--help")

    assert command.split(maxsplit=1)[0] in overview
    assert done.exit_code == 0
    assert f"{command} [OPTIONS]" in done.stdout
