"""Out-of-fold maps: what is expected of each scene by a policy that was not trained on its site.

A second look and the thresholds of a guarantee learn from these maps. A policy knows its training scenes too
well: on them, nothing that is seen would come as a surprise.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from models.counts import Counts
from models.scene_policy import ScenePolicy
from training.data.held_out import fold_of
from training.data.images import LabelledImages
from training.data.object_scenes import ObjectScene, ObjectScenes
from training.objects.policy import expected_counts, train_scene_policy
from training.objects.recipe import SearchRecipe
from training.run.folder import Run

_STRATA = 4
"""Classes of scenes by their number of objects, which each fold gets in like shares."""


def folds_of(scenes: Sequence[ObjectScene], folds: int, seed: int) -> Tensor:
    """Return the fold of each scene, int64 (N,). A site is in one fold; ValueError with too few sites."""
    if len({scene.site for scene in scenes}) < folds:
        raise ValueError(f"{folds} folds need {folds} sites at least; these scenes have fewer.")
    totals = np.array([len(scene.centres) for scene in scenes])
    edges = np.quantile(totals, np.arange(1, _STRATA) / _STRATA)
    labelled = LabelledImages(
        labels=torch.from_numpy(np.searchsorted(edges, totals)),
        classes=tuple(map(str, range(_STRATA))),
        digests=tuple(scene.name for scene in scenes),
        sites=tuple(scene.site for scene in scenes),
    )
    return fold_of(labelled, torch.arange(len(scenes)), folds, seed)


def train_folds(
    run: Run, data: ObjectScenes, scenes: Sequence[ObjectScene], recipe: SearchRecipe
) -> tuple[list[ScenePolicy], list[Counts]]:
    """Train a policy without each fold of the scenes, as the stages fold0, fold1, ...

    Returns the policies, and for each scene the counts (1, R, C) that the policy without its site expects.
    """
    policies = [train_fold(run, data, scenes, recipe, fold) for fold in range(recipe.folds)]
    return policies, maps_of_folds(policies, scenes, folds_of(scenes, recipe.folds, run.seed).tolist())


def train_fold(
    run: Run, data: ObjectScenes, scenes: Sequence[ObjectScene], recipe: SearchRecipe, fold: int
) -> ScenePolicy:
    """Train a policy without one fold of the scenes."""
    numbers = folds_of(scenes, recipe.folds, run.seed).tolist()
    learnt = [scene for scene, number in zip(scenes, numbers, strict=True) if number != fold]
    return train_scene_policy(run, f"fold{fold}", data, learnt, recipe)


def maps_of_folds(
    policies: Sequence[ScenePolicy], scenes: Sequence[ObjectScene], numbers: Sequence[int]
) -> list[Counts]:
    """Return the counts (1, R, C) that the policy of each scene's number expects in it."""
    return [
        expected_counts([policies[number]], [scene])[0] for scene, number in zip(scenes, numbers, strict=True)
    ]
