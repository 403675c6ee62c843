"""Standard output whose reader may leave before the end, as `head` does."""

import io
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

UNREAD = 141
"""Exit code of a command whose output nobody reads any more, as shells state the end by SIGPIPE.

The signal itself would also end a command whose server closes a connection.
"""


class Output(io.FileIO):
    """A descriptor that is written to until nobody reads it; then the command ends."""

    def write(self, content: "Buffer", /) -> int:
        """Write bytes. SystemExit with `UNREAD` if nobody reads them; OSError if they cannot be written."""
        try:
            return super().write(content)
        except OSError as error:
            if threading.current_thread() is not threading.main_thread():
                raise  # the log of a server, which goes on
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())  # for what is still in buffers
            if not isinstance(error, BrokenPipeError):
                raise
            raise SystemExit(UNREAD) from None


def end_when_unread() -> None:
    """Let the command end with `UNREAD` once nobody reads its standard output."""
    if sys.stdout is None:  # the descriptor was closed before the start
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  (it stays open)
    old = sys.stdout
    if old is not sys.__stdout__ or not isinstance(old, io.TextIOWrapper) or os.name == "nt":
        return  # a caller's own stream, or a console that takes no bytes
    written = io.BufferedWriter(Output(old.fileno(), "w", closefd=False))
    lines = old.line_buffering or old.write_through
    sys.stdout = io.TextIOWrapper(written, old.encoding, old.errors, line_buffering=lines)
