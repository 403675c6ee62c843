"""`loupe profiles`: addresses of servers with keys for them, under names."""

import sys
from typing import Annotated

import typer

from loupe.answers.base import Json
from service.cli.choosing import profile_names
from service.cli.connection import DEFAULT_URL, AsJson, Commands, UsageError, console, print_json
from service.cli.profile_file import Profile, check_profile, profiles_path, read_profiles, write_profiles
from service.terminal.profiles import profiles_view

profile_commands = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    help="Keep addresses of servers with keys for them, and choose one with --profile.",
)
ProfileArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the profile.", autocompletion=profile_names)
]


@profile_commands.command("list")
def list_profiles(as_json: AsJson = False) -> None:
    """List the profiles with their addresses and the public ids of their keys, never a key."""
    found = [_document(name, one) for name, one in sorted(read_profiles().items())]
    if as_json:
        print_json(found)
    elif found:
        console().print(profiles_view(found))
    else:
        console().print("There is no profile yet. Add one: loupe profiles add NAME --url URL")


@profile_commands.command("add")
def add_profile(
    name: ProfileArgument,
    address: Annotated[str, typer.Option("--url", help="Address of the server.")] = DEFAULT_URL,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the profile of this name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add a profile. The key is asked for, or read from standard input if that is no terminal.

    For example: `loupe profiles add office --url https://loupe.example.com`.
    """
    profiles = read_profiles()
    check_profile(name, Profile(address))
    if name in profiles and not replace:
        raise UsageError(f'There is a profile "{name}" already. Repeat the command with --replace.')
    profiles[name] = Profile(address, _read_key())
    check_profile(name, profiles[name])
    write_profiles(profiles)
    if as_json:
        print_json(_document(name, profiles[name]))
    else:
        console().print(f"Stored in {profiles_path()}.\nTo use it: loupe --profile {name} me")


@profile_commands.command("remove")
def remove_profile(name: ProfileArgument, as_json: AsJson = False) -> None:
    """Remove a profile. Its key stays valid: `loupe keys revoke` ends it."""
    profiles = read_profiles()
    if profiles.pop(name, None) is None:
        raise UsageError(f'There is no profile "{name}". `loupe profiles list` shows all.')
    write_profiles(profiles)
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        console().print(f"Removed the profile {name}.")


def _document(name: str, profile: Profile) -> Json:
    return {"name": name, "url": profile.url, "key": profile.key_id()}


def _read_key() -> str:
    """Return the key that is typed unseen, or the first line of standard input."""
    if sys.stdin.isatty():
        key = str(typer.prompt("API key", hide_input=True, err=True))
    else:
        key = sys.stdin.readline()
    if not key.strip():
        raise UsageError("No API key was given. Type it, or send it on standard input.")
    return key.strip()
