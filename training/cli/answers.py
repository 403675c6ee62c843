"""Answers of the commands on standard output: sentences, or one JSON document with `--json`."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


def print_json(document: Mapping[str, Any]) -> None:
    """Print a document, indented by two."""
    typer.echo(json.dumps(document, indent=2))


def print_written(*paths: Path, as_json: bool) -> None:
    """Print the paths of the files that a command wrote."""
    if as_json:
        print_json({"wrote": [str(path) for path in paths]})
        return
    for path in paths:
        typer.echo(f"Wrote {path}")


@contextmanager
def said_aside(*, as_json: bool) -> Iterator[None]:
    """Send what a run says about its progress to standard error if its answer is a document."""
    if not as_json:
        yield
        return
    kept = os.dup(1)
    os.dup2(2, 1)  # processes that train beside this one inherit it
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
