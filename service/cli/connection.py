"""What every command shares: where the server is, the key, two consoles, and how errors are said."""

import os
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from service.client import Client, ClientError
from service.errors import LoupeError

DEFAULT_URL = "http://127.0.0.1:8000"
WIDE = 120
"""Columns of output that goes to a file or a pipe."""

Url = Annotated[
    str, typer.Option("--url", envvar="LOUPE_URL", help="Address of the server.", rich_help_panel="Server")
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar="LOUPE_API_KEY",
        help="Your API key; `loupe serve` prints the first one once.",
        rich_help_panel="Server",
        show_envvar=True,
    ),
]
Bands = Annotated[
    str | None, typer.Option(help='Which bands are red, green and blue, from 1: "4,3,2" for Sentinel-2.')
]
Radiometry = Annotated[
    str | None, typer.Option(help="How to read the values, where the file does not say it.")
]


class UsageError(Exception):
    """The command cannot be carried out as given; the message says why."""


def console(*, stderr: bool = False) -> Console:
    """A console that prints text as it is, wide enough for tables when nobody watches."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDE
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def connect(url: str, api_key: str | None) -> Client:
    """A client of the server at `url`. UsageError without a key."""
    if not api_key:
        raise UsageError(
            "No API key. Set LOUPE_API_KEY or pass --api-key.\n"
            "`loupe serve` prints the first key once; `loupe keys create NAME` makes another."
        )
    return Client(url, api_key)


class Commands(TyperGroup):
    """Commands whose failures are said in one or two lines, never as a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; exit code 1 and the reason on stderr when it fails."""
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
