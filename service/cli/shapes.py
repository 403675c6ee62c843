"""`loupe plans shapes` and `loupe orders shapes`: files for a provider's order form or a GIS."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from loupe.paths import path_to
from service.cli.connection import (
    DEFAULT_URL,
    ApiKey,
    AsJson,
    Url,
    UsageError,
    console,
    open_client,
    print_json,
)
from service.cli.orders import OrderId
from service.cli.screen import echo
from service.cli.short_ids import Kind, full_id


class ShapeFormat(StrEnum):
    """The forms of order shapes; a value is what the API calls the form."""

    FEATURES = "features"
    MULTIPOLYGON = "multipolygon"
    WKT = "wkt"
    KML = "kml"
    GPKG = "gpkg"


ENDINGS = {
    ".geojson": ShapeFormat.FEATURES,
    ".json": ShapeFormat.FEATURES,
    ".wkt": ShapeFormat.WKT,
    ".txt": ShapeFormat.WKT,
    ".kml": ShapeFormat.KML,
    ".gpkg": ShapeFormat.GPKG,
}
"""The form that the ending of a file's name stands for."""
Format = Annotated[
    ShapeFormat | None,
    typer.Option(
        "--format",
        help="Form of the file. `features`: GeoJSON with a feature for each shape; `multipolygon`: GeoJSON "
        "with one feature for all; `wkt`: one MULTIPOLYGON; `kml`; `gpkg`: a GeoPackage of shapes and "
        "patches with styles for QGIS. Default: as the name of the file ends, else features.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="File to write. Default: print the shapes.", dir_okay=False),
]


def write_plan_shapes(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN", help="Id of the plan, or its beginning.")],
    form: Format = None,
    out: Out = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Write the polygons to order: for an order form (WKT, KML, GeoJSON) or for QGIS (GeoPackage)."""
    _write("plan", plan_id, ShapeOutput(form, out, as_json), url, api_key)


def write_order_shapes(
    order_id: OrderId,
    form: Format = None,
    out: Out = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Write the polygons of an order: for an order form (WKT, KML, GeoJSON) or for QGIS (GeoPackage)."""
    _write("order", order_id, ShapeOutput(form, out, as_json), url, api_key)


@dataclass(frozen=True)
class ShapeOutput:
    """The file that a command writes."""

    form: ShapeFormat | None
    out: Path | None
    as_json: bool


def _write(kind: Kind, typed: str, wanted: ShapeOutput, url: str, api_key: str | None) -> None:
    form, out = _form_of(wanted), wanted.out
    if form is ShapeFormat.GPKG and out is None:
        raise UsageError("A GeoPackage cannot be printed. Name its file: --out FILE.gpkg")
    with open_client(url, api_key) as client:
        path = path_to(f"{kind}s", full_id(client, kind, typed), "shapes")
        content = client.send("GET", path, query={"as": form.value}).content
    if out is None:
        echo(content.decode().rstrip("\n"))
        return
    out.write_bytes(content)
    if wanted.as_json:
        print_json({"file": str(out), "format": form.value, "bytes": len(content)})
    else:
        console().print(f"{out}: {len(content):,} bytes written.")


def _form_of(wanted: ShapeOutput) -> ShapeFormat:
    """Return the form that a command writes. UsageError for a form that is not said or cannot be printed."""
    if wanted.out is None and wanted.as_json:
        if wanted.form not in (None, ShapeFormat.FEATURES, ShapeFormat.MULTIPOLYGON):
            raise UsageError("Only GeoJSON is printed as JSON. Leave out --json, or give --out FILE.")
        return wanted.form or ShapeFormat.FEATURES
    if wanted.form is not None or wanted.out is None:
        return wanted.form or ShapeFormat.FEATURES
    form = ENDINGS.get(wanted.out.suffix.lower())
    if form is None:
        raise UsageError(
            f'The name "{wanted.out.name}" does not say which form the file has. End it with one of '
            f"{', '.join(ENDINGS)}, or give --format."
        )
    return form
