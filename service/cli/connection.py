"""Options, consoles and error handling that all commands share."""

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from enum import IntEnum
from errno import EFBIG, EIO, ENOSPC
from http import HTTPStatus
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from loupe import Client, ClientError, NoAnswerError, NoServerError, ProblemError, Retries, UnusableKeyError
from service.cli.faults import refusal
from service.cli.screen import Screen
from service.errors import LoupeError
from service.terminal.wording import plainly

DEFAULT_URL = "http://127.0.0.1:8000"
NO_SERVER = (
    "No Loupe server answers at {url}.\nStart one with `loupe serve`, or give another address with --url."
)
SERVER_MISSING = (
    "This command needs parts of the server, and {module} is not installed.\n"
    "Install loupe-eo with its extra: loupe-eo[server]."
)
OWN = ("loupe", "service", "models", "training")
BUSY = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
RETRIES = Retries(attempts=3, longest_s=10, unreachable=False)
"""A command waits for a busy server for some seconds; after that a script decides, by the exit code."""
TYPED = "loupe.typed"
"""Member of a context's `meta`: the command that was typed."""
MIXED = "loupe.mixed"
"""Member of a context's `meta`: whether the environment has a key and only `.env` has an address."""
UNWRITTEN = (ENOSPC, EFBIG, EIO)
"""Errors of an output that takes no more, such as a full disk."""
WIDE = 120
"""Width in columns of output that goes to a file or a pipe."""


class UsageError(Exception):
    """A command that cannot be carried out as given; the message says why."""


def refuse_mixture(ctx: typer.Context, value: str | None) -> str | None:
    """Return the value of an option. UsageError for the environment's key with the address of `.env`."""
    sources = [ctx.get_parameter_source(name) for name in ("url", "api_key")]
    if ctx.meta.get(MIXED) and all(one is not None and one.name == "ENVIRONMENT" for one in sources):
        raise UsageError(
            "`.env` of this folder sets the address of the server, and the key is from the environment.\n"
            "Set LOUPE_URL as well if the key is for that server."
        )
    return value


Url = Annotated[
    str,
    typer.Option(
        "--url",
        envvar="LOUPE_URL",
        help="Address of the server.",
        rich_help_panel="Server",
        callback=refuse_mixture,
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar="LOUPE_API_KEY",
        help="Your API key; `loupe serve` prints the first key once.",
        rich_help_panel="Server",
        show_envvar=True,
        show_default=False,  # it may be the key of a profile
        callback=refuse_mixture,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
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


class ExitCode(IntEnum):
    """Exit codes for scripts; 2 is an option or argument that the command does not know."""

    FAILED = 1
    """The command could not be carried out as given, or a check failed."""
    REFUSED = 3
    """The server refused the request: sending the same again does not help."""
    KEY_REFUSED = 4
    """The API key is missing or not accepted, or its role does not allow this."""
    UNAVAILABLE = 5
    """No server answers, or it is busy: the same command can succeed later."""


def console(*, stderr: bool = False) -> Screen:
    """Return a console that shows text as it is, and 120 columns wide when it is not a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDE
    return Screen(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def print_json(document: object) -> None:
    """Print a document as it came, indented by two."""
    typer.echo(json.dumps(document, indent=2))


def open_client(url: str, api_key: str | None) -> Client:
    """Return a client of the server at `url`. NoKeyError without a key."""
    if not api_key:
        raise NoKeyError(
            "No API key. Set LOUPE_API_KEY or pass --api-key.\n"
            "`loupe serve` prints the first key once; `loupe keys create NAME` makes another one. "
            "`loupe profiles add NAME` keeps one."
        )
    return Client(url, api_key, retries=RETRIES)


def refuse_two_forms(*, csv: bool, as_json: bool) -> None:
    """Raise UsageError if the answer is wanted as CSV and as JSON."""
    if csv and as_json:
        raise UsageError("Give either --csv or --json.")


class NoKeyError(UsageError):
    """A command that needs an API key and has none."""


class Commands(TyperGroup):
    """A command group that reports failures in one or two lines instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. When it fails, print the reason on stderr and exit with an `ExitCode`."""
        try:
            return super().invoke(ctx)
        except (ClientError, UsageError, LoupeError) as error:
            code, reason = exit_code(error), sentences(error, ctx.meta.get(TYPED))
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] in OWN:
                raise
            code, reason = ExitCode.FAILED, SERVER_MISSING.format(module=error.name.partition(".")[0])
        except OSError as error:
            code, reason = ExitCode.FAILED, reason_of(error)
        console(stderr=True).print(f"Error: {reason}", style="red")
        raise typer.Exit(code)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return a command's name, the command and its arguments. UsageError for an option given twice."""
        name, command, rest = super().resolve_command(ctx, args)
        if twice := repeated_options(command.params if command else (), rest):
            # The parser would use the last one and ignore the others.
            raise UsageError(f"{twice[0]} is given more than once. Give it once.")
        ctx.meta[TYPED] = command
        return name, command, rest


def reason_of(error: OSError) -> str:
    """Return what cannot be read or written, and why. An error that is neither is raised again."""
    if error.filename is None and error.errno not in UNWRITTEN:
        raise error
    return f"{error.filename or 'The output'}: {error.strerror}"


def exit_code(error: Exception) -> ExitCode:
    """Return the exit code of a failed command."""
    if isinstance(error, NoKeyError | UnusableKeyError):
        return ExitCode.KEY_REFUSED
    if isinstance(error, ProblemError | LoupeError):
        return _code_of_status(error.status)
    return ExitCode.UNAVAILABLE if isinstance(error, NoAnswerError) else ExitCode.FAILED


def _code_of_status(status: int) -> ExitCode:
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return ExitCode.KEY_REFUSED
    if status in BUSY:
        return ExitCode.UNAVAILABLE
    return ExitCode.FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ExitCode.REFUSED


def sentences(error: Exception, command: Any = None) -> str:
    """Return the reason of a failure for people: a title, and below it what to do.

    `command` is the one that was typed: a wrong value is named by its option or argument.
    """
    if isinstance(error, ProblemError):
        return refusal(error, command)
    if isinstance(error, NoServerError) and error.reason is None:
        return NO_SERVER.format(url=error.url)
    return f"{error.title}\n{plainly(error.detail)}" if isinstance(error, LoupeError) else str(error)


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
