"""`loupe-train table rounds`: trains what is missing in OUT, then writes the report."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from training.cli.options import stages_at_once
from training.data.object_scenes import read_object_scenes
from training.objects.recipe import load_search_recipe
from training.rounds.report import report_rounds
from training.rounds.run import run_rounds
from training.run.folder import Run


def table_rounds(
    recipe: str, data: Path, out: Path, seeds: Sequence[int], device: torch.device, *, compiled: bool
) -> Path:
    """Train each seed in the folder that the table `where` uses as well; return the path of the report."""
    chosen, scenes = load_search_recipe(recipe), read_object_scenes(data)
    measured = {}
    for seed in seeds:
        run = Run(
            out=out / f"seed{seed}",
            seed=seed,
            device=device,
            resume=True,
            compile=compiled,
            at_once=stages_at_once(device),
        )
        measured[seed] = run_rounds(scenes, replace(chosen, seed=seed), run)
    return report_rounds(scenes, chosen, measured, out, device)
