"""`loupe-train table where`: trains what is missing in OUT, then writes the report."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from training.cli.options import stages_at_once
from training.data.object_scenes import read_object_scenes
from training.objects.maps import SceneMap
from training.objects.recipe import load_search_recipe
from training.run.folder import Run
from training.where.report import report_where
from training.where.rows import Seen
from training.where.table import run_where


def table_where(  # noqa: PLR0913  (a command's parameters are its options)
    recipe: str,
    data: Path,
    out: Path,
    seeds: Sequence[int],
    folds: Sequence[str],
    device: torch.device,
    *,
    compiled: bool,
    paper: Path | None,
    perfect: bool,
) -> Path:
    """Train each seed and fold in a folder of its own, as far as it is not yet; return the report's path.

    `paper` is a folder of `table 1` on the same tiles. ValueError if it is given with folds.
    With `perfect`, no counter is trained, and bought patches are read without errors.
    """
    if paper is not None and folds:
        raise ValueError("The rows of --paper are of the test split: leave --fold or --paper out.")
    chosen, scenes = load_search_recipe(recipe), read_object_scenes(data)
    by_seed = {}
    for seed in seeds:
        maps: list[SceneMap] = []
        for fold in folds or (None,):
            place = out / f"seed{seed}" if fold is None else out / f"fold{fold}" / f"seed{seed}"
            run = Run(
                out=place,
                seed=seed,
                device=device,
                resume=True,
                compile=compiled,
                at_once=stages_at_once(device),
            )
            maps += run_where(scenes, replace(chosen, seed=seed), run, fold, perfect=perfect)
        seen = Seen(maps=tuple(maps))
        by_seed[seed] = seen.read_perfectly() if perfect else seen
    return report_where(scenes, chosen, by_seed, folds, out, device, paper, perfect=perfect)
