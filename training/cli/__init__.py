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
from training.cli.data import DATA_HELP, data_app
from training.cli.errors import user_errors
from training.cli.rounds import table_rounds
from training.data.images import centred
from training.data.layouts import open_splits
from training.data.object_scenes import read_object_scenes
from training.objects.recipe import load_search_recipe
from training.objects.table import report_where, run_where
from training.paper.reports import report_ablation, report_figures, report_table
from training.paper.runner import TABLE_ROWS, run_table
from training.product.fit import fit, remeasure
from training.run import processes
from training.run.folder import Run
from training.run.machine import keep_freed_memory
from training.run.recipe import Recipe, load_recipe, recipe_names
from training.run.splits import Splits, open_run

app = typer.Typer(
    no_args_is_help=True,
    help="Train and evaluate bundles, and reproduce the paper's tables and figures.",
    epilog=f"Recipes that ship with Loupe: {', '.join(recipe_names())}.",
)
app.add_typer(data_app, name="data")


class DeviceChoice(StrEnum):
    """Device to train on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class SplitName(StrEnum):
    """Split to measure on."""

    test = "test"
    train = "train"


# Declared once: the same option reads the same in every command.
RecipeArgument = Annotated[str, typer.Argument(help="Name of a shipped recipe, or path to a recipe file.")]
RecipeOption = Annotated[str, typer.Option(help="Name of a shipped recipe, or path to a recipe file.")]
DataOption = Annotated[Path, typer.Option(help=DATA_HELP)]
OutOption = Annotated[Path, typer.Option(help="Folder for checkpoints, metrics and results.")]
DeviceOption = Annotated[
    DeviceChoice, typer.Option(help="Device to train on. 'auto' uses a GPU if there is one.")
]
CompileOption = Annotated[
    bool, typer.Option("--compile", help="Use torch.compile. It costs about a minute in each stage.")
]
SeedsOption = Annotated[
    list[int] | None, typer.Option("--seed", help="Seed to use. Repeat the option for several. Default: 0.")
]


@app.callback()
def loupe_train() -> None:
    """Train and evaluate bundles, and reproduce the paper's tables and figures."""
    # Before torch allocates anything: every command trains or predicts.
    keep_freed_memory()


@app.command("fit")
def fit_command(
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
) -> None:
    """Train every stage of a recipe and write the bundle with its card to OUT/bundle."""
    with user_errors(), _opened(recipe, data, out, seed, device, compiled, resume=resume) as parts:
        bundle = fit(*parts, version)
    typer.echo(f"Wrote {bundle}")


@app.command("evaluate")
def evaluate_command(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    data: DataOption,
    split: Annotated[SplitName, typer.Option(help="Split to measure on.")] = SplitName.test,
    layout: Annotated[str, typer.Option(help="Layout of DATA, as in a recipe's `data`.")] = "folders",
    out: Annotated[Path | None, typer.Option(help="File to write the JSON to as well.")] = None,
) -> None:
    """Measure a bundle as shipped, on the CPU in fp32, and compare the result with its card.

    Prints the measurement as JSON. The exit status is 1 if the card says something else.
    """
    with user_errors():
        # Every file of the folder: load_bundle checks names and digests itself.
        loaded = load_bundle({p.name: p.read_bytes() for p in bundle.iterdir() if p.is_file()}, "classify")
        manifest = loaded.manifest
        # A bundle trained with random crops was measured on the middle of larger images.
        read_at = manifest.evaluation.get("crop_from") or manifest.hr_size
        with open_splits(layout, data, read_at, manifest.lr_size, mean=manifest.mean, std=manifest.std) as (
            train,
            test,
        ):
            asked = test if split is SplitName.test else train
            measured = remeasure(loaded, centred(asked, read_at, manifest.hr_size, manifest.lr_size))
    # Compared as JSON below: the card went through JSON too.
    text = json.dumps(measured, indent=1)
    typer.echo(text)
    if out is not None:
        out.write_text(text + "\n")
    # The card holds the test split only: other splits have nothing to be compared with.
    if split in manifest.evaluation:
        same = json.loads(text) == manifest.evaluation[split]
        typer.echo(
            "The measurement equals the card." if same else "The measurement DIFFERS from the card.", err=True
        )
        raise typer.Exit(0 if same else 1)


@app.command("table")
def table_command(
    number: Annotated[
        str,
        typer.Argument(
            help="1 or 2 (every method), 3 (BagNet), 4 (augmentation), where (looking for objects), "
            "or rounds (a second round of buying, and guarantees)."
        ),
    ],
    recipe: RecipeOption,
    data: DataOption,
    out: OutOption,
    seed: SeedsOption = None,
    row: Annotated[
        list[str] | None, typer.Option(help="Row to measure. Repeat the option for several. Default: all.")
    ] = None,
    device: DeviceOption = DeviceChoice.auto,
    compiled: CompileOption = False,
) -> None:
    """Measure the rows of a table of the paper and write OUT/report/table<N>-<data>.{md,json,png}.

    Rows that an earlier call measured in OUT are kept. The tables of one OUT share their networks.
    """
    with user_errors():
        if number == "where":
            if row:
                raise ValueError("The table `where` always has all its rows: leave --row out.")
            typer.echo(f"Wrote {_where(recipe, data, out, seed or [0], device, compiled)}")
            return
        if number == "rounds":
            if row:
                raise ValueError("The table `rounds` always has all its rows: leave --row out.")
            chosen = recipe, data, out, seed or [0], _device(device)
            typer.echo(f"Wrote {table_rounds(*chosen, compiled=compiled)}")
            return
        if number not in TABLE_ROWS:
            known = ", ".join((*TABLE_ROWS, "where", "rounds"))
            raise ValueError(f"There is no table {number!r}: choose one of {known}.")
        # Seeds have folders of their own, so that several processes can share OUT.
        for one in seed or [0]:
            place = out / f"seed{one}"
            # Always resumed: a table is measured in many calls.
            with _opened(recipe, data, place, one, device, compiled, resume=True) as parts:
                run_table(number, *parts, row or ())
        written = report_table(number, load_recipe(recipe), out, _device(device))
    typer.echo(f"Wrote {written}")


def _where(
    recipe: str, data: Path, out: Path, seeds: list[int], device: DeviceChoice, compiled: bool
) -> Path:
    chosen, scenes = load_search_recipe(recipe), read_object_scenes(data)
    tiles = {}
    for one in seeds:
        run = Run(out=out / f"seed{one}", seed=one, device=_device(device), resume=True, compile=compiled)
        tiles[one] = run_where(scenes, replace(chosen, seed=one), run)
    return report_where(scenes, chosen, tiles, out, _device(device))


@app.command("ablation")
def ablation_command(
    recipe: RecipeOption,
    data: DataOption,
    out: OutOption,
    seed: Annotated[int, typer.Option(help="Seed whose networks are measured.")] = 0,
    device: DeviceOption = DeviceChoice.auto,
    compiled: CompileOption = False,
) -> None:
    """Measure what each part of the product is worth on validation: OUT/report/ablation-<data>.{md,json}."""
    with user_errors():
        place = out / f"seed{seed}"
        with _opened(recipe, data, place, seed, device, compiled, resume=True) as parts:
            written = report_ablation(*parts, out)
    typer.echo(f"Wrote {written}")


@app.command("figures")
def figures_command(
    recipe: RecipeOption,
    data: DataOption,
    out: OutOption,
    seed: SeedsOption = None,
    sweeps: Annotated[
        bool,
        typer.Option(help="Also train for Fig. 5: other ratios of HR to LR, other sigmas. Takes hours."),
    ] = False,
    device: DeviceOption = DeviceChoice.auto,
    compiled: CompileOption = False,
) -> None:
    """Draw the paper's figures, and the frontier of the rows measured in OUT, into OUT/report.

    Trains the networks that are missing for them: HR-CNN, LR-CNN and PatchDrop's stages. Only the first
    seed is drawn.
    """
    with user_errors():
        chosen = (seed or [0])[0]
        # The folder of `table` for this seed, so that networks and rows are shared.
        place = out / f"seed{chosen}"
        with _opened(recipe, data, place, chosen, device, compiled, resume=True) as parts:
            written = report_figures(*parts, out, sweeps=sweeps)
    for path in written:
        typer.echo(f"Wrote {path}")


@contextmanager
def _opened(
    recipe: str,
    data: Path,
    out: Path,
    seed: int | None,
    device: DeviceChoice,
    compiled: bool,
    *,
    resume: bool,
) -> Iterator[tuple[Run, Splits, Recipe]]:
    """Open the run's folder and its data; yields what training functions take."""
    chosen = load_recipe(recipe)
    if seed is not None:
        chosen = replace(chosen, seed=seed)
    # Under torchrun each process gets a device of its own.
    with processes.joined(_device(device)) as place:
        run = Run(
            out=out,
            seed=chosen.seed,
            device=place,
            resume=resume,
            compile=compiled,
            bf16_on_cpu=chosen.bf16_on_cpu,
        )
        with open_run(chosen, data, run) as splits:
            yield run, splits, chosen


def _device(choice: DeviceChoice) -> torch.device:
    if choice is DeviceChoice.auto:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(choice.value)
