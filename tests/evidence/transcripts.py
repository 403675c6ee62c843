"""Write the outputs of now into the pages that show them."""

from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from tests.support.server import ROOT, running_server
from tests.support.transcripts import blocks, is_elsewhere, replayed


def write_transcripts(pages: list[Path]) -> None:
    """Run the commands that pages show with their output, each page beside a new server, and write it."""
    for page in pages:
        commands = [command for block in blocks(page.read_text()) for command, _ in block]
        if not commands or all(map(is_elsewhere, commands)):
            continue
        with (
            TemporaryDirectory() as folder,
            running_server(ROOT / "models" / "bundles" / "starter", LOUPE_API_KEY="") as server,
        ):
            new = replayed(page, server, Path(folder))
        typer.echo(f"{page}: {'changed' if new != page.read_text() else 'as it is'}")
        page.write_text(new)
