"""Sources of the address and the key of a command.

The first of these that has one decides, for each of the two: the options --url and --api-key, the environment
(LOUPE_URL, LOUPE_API_KEY), `.env` of the current folder, and the profile.
"""

import os
import sys
from typing import Annotated, Any

import typer
from dotenv import dotenv_values

from service.cli.connection import MIXED, Commands, ExitCode, UsageError, console, reason_of
from service.cli.output import end_when_unread
from service.cli.profile_file import read_profile, read_profiles

FROM_FILE = ("LOUPE_URL", "LOUPE_API_KEY", "LOUPE_PROFILE")
"""Settings of the commands that `.env` of the current folder gives when the environment does not."""


def profile_names(incomplete: str) -> list[str]:
    """Return the names of profiles that begin with a text, for the completion in a shell."""
    try:
        return [name for name in read_profiles() if name.startswith(incomplete)]
    except UsageError:  # the command itself says what is wrong with the file
        return []


ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile",
        envvar="LOUPE_PROFILE",
        metavar="NAME",
        help="Profile with the address of a server and a key for it; `loupe profiles list` shows all.",
        autocompletion=profile_names,
    ),
]


class Program(Commands):
    """The command `loupe`, which finds the address and the key before it runs a command."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command that was typed, and end. The exit code is `UNREAD` once nobody reads its output."""
        end_when_unread()
        try:
            return super().main(*args, **options)
        except OSError as error:  # of help and the version, which no command writes
            console(stderr=True).print(f"Error: {reason_of(error)}", style="red")
            raise SystemExit(ExitCode.FAILED) from None
        finally:
            sys.stdout.flush()

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return a command's name, the command and its arguments, as `Commands` does."""
        found = super().resolve_command(ctx, args)
        if not ctx.resilient_parsing:  # not while a shell completes a command
            ctx.meta[MIXED] = read_env_file()
            typed = ctx.get_parameter_source("profile").name == "COMMANDLINE"
            name = ctx.params["profile"] or os.environ.get("LOUPE_PROFILE")
            if name and found[0] != "profiles":
                values = values_of(name, typed=typed)
                ctx.default_map = _for_each_command(self, values)
        return found


def _for_each_command(command: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Return defaults of the options of a command and of those below it, as contexts look them up."""
    below = getattr(command, "commands", {})
    return values | {name: _for_each_command(child, values) for name, child in below.items()}


def read_env_file() -> bool:
    """Let `.env` of the current folder name server, key and profile, unless the environment does.

    Return whether the environment's key would go to the address of the file: whoever wrote a folder that is
    only visited would get the key.
    """
    given, key = dotenv_values(".env", interpolate=False), os.environ.get("LOUPE_API_KEY")
    mixed = given.get("LOUPE_URL") and not os.environ.get("LOUPE_URL") and key != given.get("LOUPE_API_KEY")
    for name in FROM_FILE:
        if value := given.get(name):
            os.environ.setdefault(name, value)
    return bool(key and mixed)


def values_of(name: str, *, typed: bool) -> dict[str, Any]:
    """Return address and key of a profile, as defaults of the options `url` and `api_key`.

    UsageError where a profile that was typed would not be used as a whole, and where the profile's key would
    go to another address than its own.
    """
    profile = read_profile(name)
    has = {"LOUPE_URL": profile.url, "LOUPE_API_KEY": profile.api_key}
    other = [one for one, value in has.items() if value and os.environ.get(one, value) != value]
    if typed and other:
        raise UsageError(
            f'The profile "{name}" would not be used, because the environment or `.env` sets '
            f"{' and '.join(other)}.\n"
            "Unset what is set there, run the command in another folder, or leave --profile out."
        )
    if other == ["LOUPE_URL"] and profile.api_key and not os.environ.get("LOUPE_API_KEY"):
        raise UsageError(
            f'LOUPE_URL is not the address of the profile "{name}", whose key is sent to no other address.\n'
            "Unset LOUPE_URL or LOUPE_PROFILE, or set LOUPE_API_KEY as well."
        )
    return {"url": profile.url, "api_key": profile.api_key}
