"""Renderables as the lines that a terminal shows."""

import io

from rich.console import Console, RenderableType


def shown(content: RenderableType, width: int = 100) -> list[str]:
    """Return the lines of a terminal of some width, without trailing blanks."""
    file = io.StringIO()
    Console(file=file, width=width, highlight=False, markup=False).print(content)
    return [line.rstrip() for line in file.getvalue().splitlines()]
