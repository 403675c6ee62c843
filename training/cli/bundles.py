"""`loupe-train fit` and `evaluate`: make a bundle, and measure one again."""

import json
from dataclasses import replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from models.bundle import ClassifyBundle, CountBundle, load_bundle
from training.cli.answers import AsJson, print_written, said_aside
from training.cli.errors import user_errors
from training.cli.options import (
    CompileOption,
    DataOption,
    DeviceChoice,
    DeviceOption,
    OutOption,
    RecipeArgument,
    device_of,
    opened,
    stages_at_once,
)
from training.data.images import centred
from training.data.layouts import open_splits
from training.data.object_scenes import read_object_scenes
from training.objects import fit as counting
from training.objects.measure import remeasure as recount
from training.objects.recipe import is_search_recipe, load_search_recipe
from training.product.fit import fit, remeasure
from training.run.differences import differences
from training.run.folder import Run

MOST_DIFFERENCES = 20
"""Most figures that `evaluate` lists."""


class SplitName(StrEnum):
    """Split to measure on."""

    test = "test"
    train = "train"


def fit_command(  # noqa: PLR0913  (a command's parameters are its options)
    recipe: RecipeArgument,
    data: DataOption,
    out: OutOption,
    resume: Annotated[bool, typer.Option(help="Continue after the last epoch saved in OUT.")] = False,
    seed: Annotated[int | None, typer.Option(help="Seed to use instead of the recipe's.")] = None,
    version: Annotated[
        str, typer.Option(help="Version of the bundle. Every plan made with it carries it.")
    ] = "1.0.0",
    device: DeviceOption = DeviceChoice.auto,
    compiled: CompileOption = False,
    as_json: AsJson = False,
) -> None:
    """Train every stage of a recipe and write the bundle with its card to OUT/bundle.

    A recipe that looks for objects takes the data set that `loupe-train data tile` wrote.
    """
    with user_errors(), said_aside(as_json=as_json):
        if is_search_recipe(recipe):
            looking = load_search_recipe(recipe)
            looking = looking if seed is None else replace(looking, seed=seed)
            place = device_of(device)
            run = Run(
                out=out,
                seed=looking.seed,
                device=place,
                resume=resume,
                compile=compiled,
                at_once=stages_at_once(place),
            )
            bundle = counting.fit(run, read_object_scenes(data), looking, version)
        else:
            with opened(recipe, data, out, seed, device, compiled, resume=resume) as parts:
                bundle = fit(*parts, version)
    print_written(bundle, as_json=as_json)


def evaluate_command(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    data: DataOption,
    split: Annotated[SplitName, typer.Option(help="Split to measure on.")] = SplitName.test,
    layout: Annotated[
        str, typer.Option(help="Layout of DATA, as in a recipe's `data`. A bundle that counts has no choice.")
    ] = "folders",
    out: Annotated[Path | None, typer.Option(help="File to write the JSON to as well.")] = None,
    _as_json: AsJson = False,
) -> None:
    """Measure a bundle as shipped, on the CPU in fp32, and compare the result with its card.

    Prints the measurement as JSON. The exit status is 1 if the card says something else; each figure that
    differs is listed.
    """
    with user_errors():
        # Every file of the folder: load_bundle checks names and digests itself.
        loaded = load_bundle({p.name: p.read_bytes() for p in bundle.iterdir() if p.is_file()})
        measured = (
            recount(loaded, read_object_scenes(data), split)
            if isinstance(loaded, CountBundle)
            else _measured(loaded, data, split, layout)
        )
    text = json.dumps(measured, indent=1)
    typer.echo(text)
    if out is not None:
        out.write_text(text + "\n")
    # The card holds the test split only: other splits have nothing to be compared with.
    if split in loaded.manifest.evaluation:
        # Compared as JSON: the card went through JSON too.
        _compare(loaded.manifest.evaluation[split], json.loads(text))


def _measured(bundle: ClassifyBundle, data: Path, split: SplitName, layout: str) -> dict[str, Any]:
    manifest = bundle.manifest
    # A bundle trained with random crops was measured on the middle of larger images.
    read_at = manifest.evaluation.get("crop_from") or manifest.hr_size
    with open_splits(layout, data, read_at, manifest.lr_size, mean=manifest.mean, std=manifest.std) as (
        train,
        test,
    ):
        asked = test if split is SplitName.test else train
        return remeasure(bundle, centred(asked, read_at, manifest.hr_size, manifest.lr_size))


def _compare(card: Any, measured: Any) -> None:
    """Say whether a measurement equals the card, and exit with the status 1 if it does not."""
    found = list(islice(differences(card, measured), MOST_DIFFERENCES + 1))
    for sentence in found[:MOST_DIFFERENCES]:
        typer.echo(sentence, err=True)
    if len(found) > MOST_DIFFERENCES:
        typer.echo("Further figures differ.", err=True)
    if found:
        typer.echo("The measurement DIFFERS from the card.", err=True)
        raise typer.Exit(1)
    typer.echo("The measurement equals the card.", err=True)
