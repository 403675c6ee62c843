"""The table "Real files" of docs/inputs.md: how a server with the shipped bundle reads each file."""

import os
from pathlib import Path
from typing import Annotated

import rasterio
import typer

from loupe import Client, ProblemError
from loupe.answers.base import Json
from tests.support.server import ROOT, running_server

DATA = Path(os.environ.get("LOUPE_DATA", ROOT.parent / "shared" / "data"))


def print_rasters(
    data: Annotated[Path, typer.Option(help="Folder whose subfolder `rasters` holds the files.")] = DATA,
) -> None:
    """Print how a server with the shipped bundle reads each GeoTIFF of a folder."""
    bundle = ROOT / "models" / "bundles" / "starter"
    typer.echo("| file | pixels | CRS | GSD, m | outcome |\n|---|---|---|---|---|")
    with running_server(bundle) as server, server.client() as client:
        for path in sorted((data / "rasters").glob("*.tif")):
            typer.echo(row(client, path))


def row(client: Client, path: Path) -> str:
    """Return the line of one file."""
    with rasterio.open(path) as file:
        pixels, crs = f"{file.count} x {file.dtypes[0]}", file.crs.to_string()
    try:
        plan = client.plan(path.read_bytes()).document
    except ProblemError as error:
        gsd, outcome = "", f"{error.status} `{error.code}`: {error.problem['detail']}"
    else:
        gsd = " x ".join(f"{length:.3g}" for length in plan["scene"]["gsd_m"])
        outcome = planned(plan)
    return f"| {path.stem} | {pixels} | {crs} | {gsd} | {outcome} |"


def planned(plan: Json) -> str:
    """Describe how the scene of a plan was read."""
    scene = plan["scene"]
    columns, rows = scene["columns"], scene["rows"]
    told = [
        f"{columns} x {rows} = {columns * rows} tiles",
        f"bands {','.join(map(str, scene['bands']))} {scene['bands_from']}",
        scene["radiometry"],
        f"{scene['planned_km2']:.3f} km2 planned, {scene['left_out_km2']:.3f} left out",
        *(f"warning `{warning['code']}`" for warning in plan["warnings"]),
    ]
    return "; ".join(told)
