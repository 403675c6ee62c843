"""Compare two versions of the service: what they publish as OpenAPI, and what they plan.

    python -m tests.comparison record OUT --checkout DIR --rasters DIR   # once for each version
    python -m tests.comparison compare BEFORE AFTER

`record` starts the server of a checkout on loopback, plans every raster under every objective and price
list, and keeps the answers. `compare` prints each difference that is not an id, a time or a wording, and
exits with 1 when it finds one in the plans. Differences of the OpenAPI documents are listed: those that
a change meant to make are read there.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from tests.comparison.documents import without_wording
from tests.comparison.openapi import structure_of
from tests.comparison.recording import record_server
from tests.comparison.trees import differences

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
Folder = Annotated[Path, typer.Argument(file_okay=False)]


@app.command()
def record(
    out: Folder,
    checkout: Annotated[Path, typer.Option(exists=True, help="Root of the version to run.")] = Path(),
    rasters: Annotated[Path, typer.Option(exists=True, help="Folder of GeoTIFFs.")] = Path("rasters"),
) -> None:
    """Keep what one version answers; what OUT holds already is not asked again."""
    out.mkdir(parents=True, exist_ok=True)
    known = {path.stem for path in out.glob("*.json")}
    for name, answer in record_server(checkout.resolve(), sorted(rasters.glob("*.tif")), known):
        (out / f"{name}.json").write_text(json.dumps(answer, indent=1))
        typer.echo(name)


@app.command()
def compare(before: Folder, after: Folder) -> None:
    """Print what differs between two recordings."""
    old, new = (structure_of(_read(folder / "openapi.json")) for folder in (before, after))
    published = differences(old, new)
    typer.echo(f"OpenAPI: {len(published)} differences in paths, parameters, bodies and answers")
    _print(published)
    names = sorted(path.name for path in before.glob("*.json") if path.name != "openapi.json")
    planned = [
        f"{name}: {line}" for name in names for line in _planned_otherwise(before / name, after / name)
    ]
    typer.echo(f"Plans: {len(names)} answers, {len(planned)} differences besides ids, times and wording")
    _print(planned)
    raise typer.Exit(1 if planned else 0)


def _planned_otherwise(before: Path, after: Path) -> list[str]:
    return differences(without_wording(_read(before)), without_wording(_read(after)))


def _print(lines: list[str]) -> None:
    for line in lines:
        typer.echo(f"  {line}")


def _read(path: Path) -> object:
    return json.loads(path.read_text())


if __name__ == "__main__":
    app()
