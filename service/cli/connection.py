"""Options, consoles and error handling that all commands share."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from service.client import Client, ClientError
from service.errors import LoupeError

DEFAULT_URL = "http://127.0.0.1:8000"
WIDE = 120
"""Width in columns of output that goes to a file or a pipe."""

Url = Annotated[
    str, typer.Option("--url", envvar="LOUPE_URL", help="Address of the server.", rich_help_panel="Server")
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar="LOUPE_API_KEY",
        help="Your API key; `loupe serve` prints the first key once.",
        rich_help_panel="Server",
        show_envvar=True,
    ),
]
Bands = Annotated[
    str | None,
    typer.Option(help='Numbers of the red, green and blue band, counted from 1: "4,3,2" for Sentinel-2.'),
]
Radiometry = Annotated[
    str | None,
    typer.Option(
        help="Meaning of the pixel values: auto (the default), uint8, reflectance, reflectance-1e4, "
        "reflectance-1e4-offset1000, reflectance-percent, reflectance-65535, landsat-collection2, or "
        "range:LOW-HIGH with the numbers that become black and white, such as range:0-4000."
    ),
]


class UsageError(Exception):
    """A command that cannot be carried out as given; the message says why."""


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints text unchanged, and 120 columns wide when it is not a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDE
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def open_client(url: str, api_key: str | None) -> Client:
    """Return a client of the server at `url`. UsageError without a key."""
    if not api_key:
        raise UsageError(
            "No API key. Set LOUPE_API_KEY or pass --api-key.\n"
            "`loupe serve` prints the first key once; `loupe keys create NAME` makes another one."
        )
    return Client(url, api_key)


class Commands(TyperGroup):
    """A command group that reports failures in one or two lines instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. When it fails, print the reason on stderr and exit with code 1."""
        try:
            return super().invoke(ctx)
        except (ClientError, UsageError) as error:
            reason = str(error)
        except LoupeError as error:
            reason = f"{error.title}\n{error.detail}"
        except OSError as error:
            if error.filename is None:
                raise
            reason = f"{error.filename}: {error.strerror}"
        console(stderr=True).print(f"Error: {reason}", style="red")
        raise typer.Exit(1)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return a command's name, the command and its arguments. UsageError for an option given twice."""
        name, command, rest = super().resolve_command(ctx, args)
        if twice := repeated_options(command.params if command else (), rest):
            # The parser would use the last one and ignore the others.
            raise UsageError(f"{twice[0]} is given more than once. Give it once.")
        return name, command, rest


def repeated_options(params: Sequence[Any], args: Sequence[str]) -> list[str]:
    """Return the options that arguments give more than once, except flags and lists."""
    before = args[: args.index("--")] if "--" in args else args
    given = Counter(one.partition("=")[0] for one in before if one.startswith("-"))
    single = [one for one in params if not getattr(one, "multiple", False)]
    return [
        one.opts[0]
        for one in single
        if not getattr(one, "is_flag", False) and sum(given[name] for name in one.opts) > 1
    ]
