"""Options that several commands share, and the run that they open."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch
import typer

from training.cli.data import DATA_HELP
from training.run import processes
from training.run.folder import Run
from training.run.recipe import Recipe, load_recipe
from training.run.splits import Splits, open_run


class DeviceChoice(StrEnum):
    """Device to train on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


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


@contextmanager
def opened(
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
    with processes.joined(device_of(device)) as place:
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


def stages_at_once(device: torch.device) -> int:
    """Return how many stages to train at the same time: one for each thread of a CPU, one on a GPU."""
    return torch.get_num_threads() if device.type == "cpu" else 1


def device_of(choice: DeviceChoice) -> torch.device:
    """Return the device that is chosen."""
    if choice is DeviceChoice.auto:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(choice.value)
