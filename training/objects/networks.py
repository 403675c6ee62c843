"""The networks of one seed, and what their out-of-fold answers calibrate."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from models.counts import Counts, Reading
from models.fusion import Fusion
from models.patch_counter import PatchCounter
from models.scene_policy import ScenePolicy
from training.data.object_scenes import ObjectScene, ObjectScenes
from training.objects.counter import calibration_scenes, read_patches, train_counter
from training.objects.folds import train_fold, train_folds
from training.objects.fusion import fit_fusion
from training.objects.policy import expected_counts, train_scene_policy
from training.objects.recipe import SearchRecipe
from training.run.apart import Task, train_apart
from training.run.folder import Run


@dataclass(frozen=True, kw_only=True)
class SearchNetworks:
    """The networks that were trained on some scenes."""

    policies: tuple[ScenePolicy, ...]
    """Trained on all of the scenes."""
    counter: PatchCounter
    fusion: Fusion
    fold_policies: tuple[ScenePolicy, ...]
    """Each trained on all scenes but those of one fold."""
    fold_maps: tuple[Counts, ...]
    """Counts (1, R, C) that the policy without its site expects in each of the scenes."""

    def look_at(self, scenes: Sequence[ObjectScene]) -> tuple[list[Counts], list[Reading]]:
        """Return the expected counts of scenes, and what their patches are known to hold once bought.

        All are (1, R, C).
        """
        expected = expected_counts(self.policies, scenes)
        pairs = zip(expected, scenes, strict=True)
        return expected, [
            self.fusion.fuse(read_patches(self.counter, scene), counts.mean) for counts, scene in pairs
        ]


def train_networks(
    run: Run, data: ObjectScenes, scenes: Sequence[ObjectScene], recipe: SearchRecipe
) -> SearchNetworks:
    """Train all networks of one seed on some scenes; those that are finished in the run's folder are read."""
    if run.at_once > 1:
        train_apart(_stages(run, data, scenes, recipe), run.at_once)
        run = replace(run, resume=True)  # what follows reads them
    counter = train_counter(run, data, scenes, recipe).cpu()
    fold_policies, fold_maps = train_folds(run, data, scenes, recipe)
    policies = train_policies(run, data, scenes, recipe)
    # Neither the counter nor the policy without the site has learnt from these scenes.
    held_out = calibration_scenes(scenes)
    expected = {scene.name: counts.mean for counts, scene in zip(fold_maps, scenes, strict=True)}
    return SearchNetworks(
        policies=policies,
        counter=counter,
        fusion=fit_fusion(
            torch.cat([read_patches(counter, scene).flatten() for scene in held_out]),
            torch.cat([expected[scene.name].flatten().cpu() for scene in held_out]),
            torch.cat([torch.from_numpy(scene.counts).flatten() for scene in held_out]),
        ),
        fold_policies=tuple(fold_policies),
        fold_maps=tuple(fold_maps),
    )


def train_policies(
    run: Run, data: ObjectScenes, scenes: Sequence[ObjectScene], recipe: SearchRecipe
) -> tuple[ScenePolicy, ...]:
    """Train the policies of one seed on all of some scenes; those that are finished are read."""
    return tuple(
        train_scene_policy(run, f"policy{number}", data, scenes, recipe).cpu()
        for number in range(recipe.members)
    )


def _stages(run: Run, data: ObjectScenes, scenes: Sequence[ObjectScene], recipe: SearchRecipe) -> list[Task]:
    """Return the training of every network, the longest first."""
    given = (run, data, scenes, recipe)
    return [
        partial(train_counter, *given),
        *(partial(train_fold, *given, fold) for fold in range(recipe.folds)),
        *(
            partial(train_scene_policy, run, f"policy{number}", data, scenes, recipe)
            for number in range(recipe.members)
        ),
    ]
