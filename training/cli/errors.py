"""Errors of commands, shown as one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def user_errors() -> Iterator[None]:
    """Show errors that the user can mend as one sentence instead of a traceback."""
    try:
        yield
    # DataError is a ValueError. Anything else is a fault of ours and keeps its traceback.
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
