"""`loupe-train`: fit a recipe, evaluate a bundle, make the paper's tables and figures, check data."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch
import typer

from models.bundle import load_bundle
from training.data.check import check, describe
from training.data.images import centred
from training.data.layouts import open_splits
from training.paper.reports import report_ablation, report_figures, report_table
from training.paper.runner import TABLES, run_table
from training.product.fit import fit, remeasure
from training.run import processes
from training.run.lab import Lab, Run, open_lab
from training.run.memory import keep_freed_memory
from training.run.recipe import load_recipe, recipe_names

app = typer.Typer(
    no_args_is_help=True,
    help="Train and evaluate bundles, and reproduce the paper's tables and figures.",
    epilog=f"Recipes that ship: {', '.join(recipe_names())}.",
)
data_app = typer.Typer(no_args_is_help=True, help="Look at data before hours are spent on it.")
app.add_typer(data_app, name="data")


class Device(StrEnum):
    """Where to train."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class SplitName(StrEnum):
    """What to measure on."""

    test = "test"
    train = "train"


RecipeArgument = Annotated[str, typer.Argument(help="Name of a recipe, or a path to one.")]
DataOption = Annotated[Path, typer.Option(help="A folder, or a tar of it; of pairs, the CSV or its folder.")]
OutOption = Annotated[Path, typer.Option(help="Folder for checkpoints, metrics, rows and reports.")]
DeviceOption = Annotated[Device, typer.Option(help="auto takes a GPU if there is one.")]
CompileOption = Annotated[bool, typer.Option("--compile", help="torch.compile: costs each stage a minute.")]
SeedsOption = Annotated[list[int] | None, typer.Option("--seed", help="Repeat for several; 0 by default.")]


@app.callback()
def prepare() -> None:
    """Train and evaluate bundles, and reproduce the paper's tables and figures."""
    keep_freed_memory()


@app.command("fit")
def fit_command(
    recipe: RecipeArgument,
    data: DataOption,
    out: OutOption,
    resume: Annotated[bool, typer.Option(help="Go on after the last saved epoch in OUT.")] = False,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    version: Annotated[str, typer.Option(help="Of the bundle; every plan made with it says so.")] = "1.0.0",
    device: DeviceOption = Device.auto,
    compiled: CompileOption = False,
) -> None:
    """Train every stage that a recipe ships and write OUT/bundle with its card."""
    with _in_words(), _lab(recipe, data, out, seed, device, compiled=compiled, resume=resume) as lab:
        bundle = fit(lab, version)
    typer.echo(f"wrote {bundle}")


@app.command("evaluate")
def evaluate_command(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    data: DataOption,
    split: Annotated[SplitName, typer.Option(help="Which split to measure on.")] = SplitName.test,
    layout: Annotated[str, typer.Option(help="How DATA is laid out, as in a recipe's `data`.")] = "folders",
    out: Annotated[Path | None, typer.Option(help="Write the JSON here too.")] = None,
) -> None:
    """Measure a bundle as shipped, on the CPU in fp32; prints JSON and whether its card says the same."""
    with _in_words():
        loaded = load_bundle({p.name: p.read_bytes() for p in bundle.iterdir() if p.is_file()})
        manifest = loaded.manifest
        read_at = manifest.evaluation.get("crop_from") or manifest.hr_size
        with open_splits(layout, data, read_at, manifest.lr_size, mean=manifest.mean, std=manifest.std) as (
            train,
            test,
        ):
            asked = test if split is SplitName.test else train
            measured = remeasure(loaded, centred(asked, read_at, manifest.hr_size, manifest.lr_size))
    text = json.dumps(measured, indent=1)
    typer.echo(text)
    if out is not None:
        out.write_text(text + "\n")
    if split in manifest.evaluation:
        same = json.loads(text) == manifest.evaluation[split]
        typer.echo("equals the card" if same else "DIFFERS from the card", err=True)
        raise typer.Exit(0 if same else 1)


@app.command("table")
def table_command(
    number: Annotated[str, typer.Argument(help="1 or 2 (every method), 3 (BagNet) or 4 (augmentation).")],
    recipe: Annotated[str, typer.Option(help="Name of a recipe, or a path to one.")],
    data: DataOption,
    out: OutOption,
    seed: SeedsOption = None,
    row: Annotated[list[str] | None, typer.Option(help="Measure only this row; repeat for several.")] = None,
    device: DeviceOption = Device.auto,
    compiled: CompileOption = False,
) -> None:
    """Measure a table's rows and write OUT/report/table<N>-<data>.{md,json,png}.

    Goes on where an earlier call in OUT stopped; the tables of one OUT share their networks.
    """
    with _in_words():
        if number not in TABLES:
            raise ValueError(f"there is no table {number!r}: choose one of {', '.join(TABLES)}")
        for one in seed or [0]:
            place = out / f"seed{one}"
            with _lab(recipe, data, place, one, device, compiled=compiled, resume=True) as lab:
                run_table(number, lab, row or ())
        written = report_table(number, load_recipe(recipe), out, _device(device))
    typer.echo(f"wrote {written}")


@app.command("ablation")
def ablation_command(
    recipe: Annotated[str, typer.Option(help="Name of a recipe, or a path to one.")],
    data: DataOption,
    out: OutOption,
    seed: Annotated[int, typer.Option(help="Which seed's networks.")] = 0,
    device: DeviceOption = Device.auto,
    compiled: CompileOption = False,
) -> None:
    """Say what each part of the product is worth on validation: OUT/report/ablation-<data>.{md,json}."""
    with _in_words():
        place = out / f"seed{seed}"
        with _lab(recipe, data, place, seed, device, compiled=compiled, resume=True) as lab:
            written = report_ablation(lab, out)
    typer.echo(f"wrote {written}")


@app.command("figures")
def figures_command(
    recipe: Annotated[str, typer.Option(help="Name of a recipe, or a path to one.")],
    data: DataOption,
    out: OutOption,
    seed: SeedsOption = None,
    sweeps: Annotated[
        bool, typer.Option(help="Also train for Fig. 5: other ratios of HR to LR, other sigmas. Hours.")
    ] = False,
    device: DeviceOption = Device.auto,
    compiled: CompileOption = False,
) -> None:
    """Draw what the rows in OUT show, and the paper's figures, into OUT/report.

    Trains what is missing for them: HR-CNN, LR-CNN and PatchDrop's stages.
    """
    with _in_words():
        chosen = (seed or [0])[0]
        place = out / f"seed{chosen}"
        with _lab(recipe, data, place, chosen, device, compiled=compiled, resume=True) as lab:
            written = report_figures(lab, out, sweeps=sweeps)
    for path in written:
        typer.echo(f"wrote {path}")


@data_app.command("check")
def check_command(
    data: Annotated[Path, typer.Argument(help="A folder, or a tar of it; of pairs, the CSV or its folder.")],
    layout: Annotated[
        str, typer.Option(help="folders, cifar10, cifar100, imagenet, fmow or pairs.")
    ] = "folders",
) -> None:
    """Say what is in a data set and what is wrong with it; exit status 1 if anything is."""
    with _in_words():
        findings = check(data, layout)
    typer.echo(describe(findings))
    raise typer.Exit(1 if findings.wrong else 0)


@contextmanager
def _lab(
    recipe: str,
    data: Path,
    out: Path,
    seed: int | None,
    device: Device,
    *,
    compiled: bool,
    resume: bool,
) -> Iterator[Lab]:
    chosen = load_recipe(recipe)
    if seed is not None:
        chosen = replace(chosen, seed=seed)
    with processes.joined(_device(device)) as place:
        run = Run(out=out, seed=chosen.seed, device=place, resume=resume, compile=compiled)
        with open_lab(chosen, data, run) as lab:
            yield lab


@contextmanager
def _in_words() -> Iterator[None]:
    """Errors of the user's making as one sentence, not as a traceback."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error


def _device(choice: Device) -> torch.device:
    if choice is Device.auto:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(choice.value)
