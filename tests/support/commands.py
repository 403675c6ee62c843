"""Every command of a command line."""

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from service.cli import app

ENDLESS = {"serve", "worker"}
"""Commands that run until they are stopped; `LOUPE_LOG` has what they say as JSON."""


def commands_of(program: typer.Typer) -> dict[str, Any]:
    """Return everything that can be run by its words, groups that do something by themselves included."""
    return dict(_walk(typer.main.get_command(program), ""))


def _walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(command, TyperGroup) or command.invoke_without_command:
        yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _walk(child, f"{path} {name}".strip())


COMMANDS = commands_of(app)
ASKING = [name for name, found in COMMANDS.items() if "api_key" in {one.name for one in found.params}]
"""Commands that ask a server over HTTP."""
KEEPING = [name for name in COMMANDS if name.startswith("profiles ")]
"""Commands that work on this user's file of profiles."""
OPERATING = [name for name in COMMANDS if name not in {*ASKING, *KEEPING, *ENDLESS}]
"""Commands that work on the database or the bundles of a server, on its machine."""
