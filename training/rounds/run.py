"""Models of one seed of the table `rounds`: policy, counter, out-of-fold maps and second look."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from models.counts import Counts, Reading
from models.second_look import SecondLook
from training.data.object_scenes import ObjectScene, ObjectScenes
from training.objects.folds import maps_of_folds
from training.objects.maps import exact, maps_of, tiles_of
from training.objects.networks import train_networks
from training.objects.recipe import SearchRecipe
from training.objects.second_look import fit_second_look
from training.objects.tiles import ObjectTiles
from training.run.folder import Run, claimed


@dataclass(frozen=True, kw_only=True)
class RoundsSeed:
    """The test scenes as the networks of one seed see them, and the maps that no network was trained on."""

    test: ObjectTiles
    maps: tuple[Counts, ...]
    """Expected counts (1, R, C) of the test scenes, from policies that were trained on all other sites."""
    readings: tuple[Reading, ...]
    """Readings (1, R, C) of the test scenes."""
    look: SecondLook
    learnt_by_fold: ObjectTiles
    """Tiles of the other sites, each as the policy without its site sees it, and read without error."""
    test_by_fold: ObjectTiles
    """Test tiles as the same policies see them: each site by one of them."""


def run_rounds(data: ObjectScenes, recipe: SearchRecipe, run: Run) -> RoundsSeed:
    """Train the networks of one seed that are missing in its folder, and look at the test scenes.

    The folder is that of the table `where`. ValueError if another process is writing to it, or if it holds
    another run.
    """
    learnt, test = data.of("train", "validation"), data.of("test")
    with claimed(run, recipe):
        networks = train_networks(run, data, learnt, recipe)
    maps = networks.fold_maps
    expected, readings = networks.look_at(test)
    # Test sites belong to no fold: they are dealt to the policies of the folds in turn.
    names = sorted({scene.site for scene in test})
    dealt = [names.index(scene.site) % recipe.folds for scene in test]
    by_fold = maps_of_folds(networks.fold_policies, test, dealt)

    def laid_out(
        scenes: Sequence[ObjectScene], seen: Sequence[Counts], read: Sequence[Reading]
    ) -> ObjectTiles:
        return tiles_of(maps_of(scenes, seen, read, learnt, int(data.facts["lr_size"])))

    return RoundsSeed(
        test=laid_out(test, expected, readings),
        maps=tuple(expected),
        readings=tuple(readings),
        look=fit_second_look(maps, [torch.from_numpy(scene.counts) for scene in learnt], run.seed),
        learnt_by_fold=laid_out(learnt, maps, [exact(scene) for scene in learnt]),
        test_by_fold=laid_out(test, by_fold, [exact(scene) for scene in test]),
    )
