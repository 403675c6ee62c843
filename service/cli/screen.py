"""Texts that somebody else wrote, as a terminal shows them: names, file names, and sentences of a server."""

import re
import sys
from collections.abc import Iterable
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Characters that a terminal obeys instead of showing them, but for tabs and line feeds."""


def visible(text: str) -> str:
    """Return a text with its control characters as codes, such as \\x1b: none moves the cursor or hides."""
    return CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


class Screen(Console):
    """A console that writes control characters of texts as codes; its own colours stay."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text to render; columns become as wide as what they show."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the parts of anything that is printed."""
        for part in super().render(renderable, options):
            yield part if part.control else Segment(visible(part.text), part.style)


def echo(text: str) -> None:
    """Print a line of a server's file: as it is into a file or a pipe, and harmless on a terminal."""
    typer.echo(visible(text) if sys.stdout.isatty() else text, color=True)  # True: it strips nothing
