"""`loupe-train data`: check a data set, and cut scenes with annotated objects into tiles."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from training.cli.answers import AsJson, print_json
from training.cli.errors import user_errors
from training.data.boxes import read_objects
from training.data.check import check, describe

data_app = typer.Typer(no_args_is_help=True, help="Make and check data sets.")

DATA_HELP = "Folder of the data set, or a tar of it. For pairs: the CSV, or its folder."


@data_app.command("check")
def check_command(
    data: Annotated[Path, typer.Argument(help=DATA_HELP)],
    layout: Annotated[
        str, typer.Option(help="Layout of DATA: folders, cifar10, cifar100, imagenet, fmow or pairs.")
    ] = "folders",
    as_json: AsJson = False,
) -> None:
    """Describe a data set and list what is wrong with it. The exit status is 1 if anything is."""
    with user_errors():
        findings = check(data, layout)
    if as_json:
        print_json(asdict(findings))
    else:
        typer.echo(describe(findings))
    # The status lets a script stop before it trains.
    raise typer.Exit(1 if findings.wrong else 0)


ScenesArgument = Annotated[Path, typer.Argument(help="Folder of GeoTIFFs or pictures, or a tar of it.")]
ObjectsOption = Annotated[
    Path,
    typer.Option(help="Objects: a CSV with scene,x0,y0,x1,y1 in pixels, COCO, or GeoJSON in EPSG:4326."),
]
SitesOption = Annotated[
    Path | None,
    typer.Option(
        help="CSV with scene,site and maybe split (train, validation, test) and fold. "
        "Default: scenes that overlap are one site, and sites are divided at random."
    ),
]
LrOption = Annotated[
    Path | None, typer.Option(help="Folder of LR GeoTIFFs named like the scenes. Default: LR is simulated.")
]
TileOption = Annotated[float, typer.Option(help="Side of a tile in metres; a patch is a quarter of it.")]
LrPixelOption = Annotated[float, typer.Option(help="Pixel size of the low resolution in metres.")]
PixelOption = Annotated[
    float | None, typer.Option(help="Pixel size of pictures without georeference, in metres.")
]
ClassesOption = Annotated[
    str, typer.Option(help="Smallest counts of the classes above none: 1,10 makes 0, 1-9 and 10+.")
]
GapOption = Annotated[
    bool, typer.Option(help="Simulate the LR of another sensor and date, not averaged HR pixels.")
]


@data_app.command("tile")
def tile_command(  # noqa: PLR0913  (a command's parameters are its options)
    scenes: ScenesArgument,
    objects: ObjectsOption,
    out: Annotated[Path, typer.Option(help="Folder to write the data set to.")],
    tile_m: TileOption = 768,
    lr_m: LrPixelOption = 10,
    pixel_m: PixelOption = None,
    classes: ClassesOption = "1,10",
    sites: SitesOption = None,
    lr: LrOption = None,
    sensor_gap: GapOption = True,
    licence: Annotated[str, typer.Option(help="Licence of the scenes, which bundles carry on.")] = "",
    seed: Annotated[int, typer.Option(help="Seed of splits, turns and simulated LR.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Cut scenes with annotated objects into tiles, and write a data set with LR, HR, sites and counts.

    A tile's class is its number of objects; an object counts where the centre of its box lies. Tiles are
    turned and mirrored at random, so that no fixed order of patches profits from how scenes were framed.
    """
    # GDAL is not on every machine that trains, and only this command needs it.
    from training.data.cut_scenes import cut_folder  # noqa: PLC0415  (as just said)
    from training.data.tiling import Cut, class_bins  # noqa: PLC0415  (as just said)

    with user_errors():
        bins = class_bins(classes)
        cut = Cut(tile_m=tile_m, lr_m=lr_m, bins=bins, seed=seed, sensor_gap=sensor_gap, licence=licence)
        annotated = read_objects(objects)
        facts = cut_folder(scenes, annotated, cut, out, pixel_m=pixel_m, sites=sites, lr=lr)
    for doubt in annotated.doubts:
        typer.echo(f"Warning: {doubt}", err=True)
    if as_json:
        print_json({"wrote": [str(out)], **facts})
        return
    typer.echo(
        f"Wrote {facts['tiles']:,} tiles of {facts['tile_m']:g} m from {facts['scenes']:,} scenes at "
        f"{facts['sites']:,} sites, with {facts['objects']:,} objects, to {out}"
    )
