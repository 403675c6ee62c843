"""`loupe-train`: fit a recipe, evaluate a bundle."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch
import typer

from models.bundle import BundleError, load_bundle
from training.data import DataError, open_data
from training.epochs import Run
from training.fit import fit, remeasure
from training.recipe import load_recipe

app = typer.Typer(no_args_is_help=True, help="Train and evaluate bundles.")


class Device(StrEnum):
    """Where to train."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


DataOption = Annotated[Path, typer.Option(help="Folder holding train/ and test/, or a tar of it.")]


@app.command("fit")
def fit_command(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or a path to one.")],
    data: DataOption,
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, metrics.jsonl and the bundle.")],
    resume: Annotated[bool, typer.Option(help="Go on after the last saved epoch in OUT.")] = False,
    device: Annotated[Device, typer.Option()] = Device.auto,
) -> None:
    """Train every stage of a recipe and write OUT/bundle with its card."""
    try:
        chosen = load_recipe(recipe)
        out.mkdir(parents=True, exist_ok=True)
        if not resume and (out / "metrics.jsonl").exists():
            raise ValueError(f"{out} holds an earlier run: add --resume or choose another folder")
        run = Run(out=out, seed=chosen.seed, device=_device(device), resume=resume)
        with open_data(data) as folder:
            bundle = fit(chosen, folder, run)
    except (ValueError, DataError) as error:
        raise typer.BadParameter(str(error)) from error
    typer.echo(f"wrote {bundle}")


@app.command("evaluate")
def evaluate_command(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    data: DataOption,
    split: Annotated[str, typer.Option(help="test or train.")] = "test",
    out: Annotated[Path | None, typer.Option(help="Write the JSON here too.")] = None,
) -> None:
    """Measure a bundle as shipped, on the CPU in fp32; prints JSON and whether its card says the same."""
    try:
        loaded = load_bundle({p.name: p.read_bytes() for p in bundle.iterdir() if p.is_file()})
        with open_data(data) as folder:
            measured = remeasure(loaded, folder, split)
    except (OSError, ValueError, BundleError, DataError) as error:
        raise typer.BadParameter(str(error)) from error
    text = json.dumps(measured, indent=1)
    typer.echo(text)
    if out is not None:
        out.write_text(text + "\n")
    if split in loaded.manifest.evaluation:
        same = json.loads(text) == loaded.manifest.evaluation[split]
        typer.echo("equals the card" if same else "DIFFERS from the card", err=True)
        raise typer.Exit(0 if same else 1)


def _device(choice: Device) -> torch.device:
    if choice is Device.auto:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(choice.value)
