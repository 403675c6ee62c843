"""Losses by threshold at two sites with three tiles."""

import torch

from tests.support.object_tiles import object_tiles
from training.objects.promises import task_values
from training.objects.site_losses import THRESHOLDS, site_losses
from training.objects.tiles import ObjectTiles

BINS = (1, 10)


def tiles() -> ObjectTiles:
    """Return two tiles of site a, with four objects in two patches and none, and one of site b with none."""
    made = object_tiles([{3: 3, 5: 1}, {}, {}], mean=1e-3, sites=("a", "a", "b"))
    made.mean[0, 3], made.variance[0, 3] = 0.5, 0.75
    return made


def test_the_safest_threshold_buys_everything_and_loses_nothing() -> None:
    losses = site_losses(tiles(), tiles().mean, BINS)
    assert losses.patches[0].tolist() == [16, 16]
    assert losses.objects[0].tolist() == losses.labels[0].tolist() == [0, 0]
    assert (losses.patches[1:] <= losses.patches[:-1]).all()


def test_losses_are_shares_of_the_objects_and_of_the_tiles_of_a_site() -> None:
    losses = site_losses(tiles(), tiles().mean, BINS)
    middle = next(at for at, threshold in enumerate(THRESHOLDS) if threshold > 0.1)
    # Only the patch with three of the four objects is bought: the label needs no more.
    assert losses.patches[middle].tolist() == [0.5, 0]
    assert losses.objects[middle].tolist() == [0.25, 0]
    assert losses.labels[middle].tolist() == [0, 0]
    # Nothing is bought: of the two tiles of site a, the one with objects loses its label.
    assert losses.objects[-1].tolist() == [1, 0]
    assert losses.labels[-1].tolist() == [0.5, 0]


def test_values_are_those_of_the_task() -> None:
    assert torch.allclose(task_values(tiles(), "find", BINS), tiles().mean)
    assert torch.allclose(task_values(tiles(), "count", BINS), tiles().variance)
    label = task_values(tiles(), "label", BINS)
    assert label[0].argmax() == 3
