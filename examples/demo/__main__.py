"""`python -m examples.demo`: run the main job on real imagery, against a temporary server."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from examples.demo.process import ServerError
from examples.demo.run import run_demo
from examples.demo.scenes import demo_scenes
from service.cli.connection import console

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    data: Annotated[
        Path | None,
        typer.Option(
            envvar="LOUPE_DATA",
            help="Folder with rasters/. With it the demo also plans a real Sentinel-2 scene.",
        ),
    ] = None,
    keep: Annotated[
        bool | None,
        typer.Option(
            "--keep/--no-keep", help="Keep the server running at the end. Default: only in a terminal."
        ),
    ] = None,
) -> None:
    """Plan, order, deliver and classify real imagery, and print each label beside the truth."""
    try:
        run_demo(demo_scenes(), data, keep=sys.stdin.isatty() if keep is None else keep, out=console())
    except ServerError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


if __name__ == "__main__":
    app()
