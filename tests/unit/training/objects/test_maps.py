"""Scenes cut into tiles of larger patches, and choices laid back over them."""

import numpy as np
import pytest
import torch

from models.grid import GRID, PATCHES
from tests.support.objects import random_scenes, scene_map
from training.objects.maps import FACTORS, bought_of, coarser, masks_of, tiles_of, turns_of
from training.objects.tiles import by_scene, by_tile


def test_by_scene_undoes_by_tile_under_every_turn() -> None:
    values = torch.arange(2 * 3 * PATCHES, dtype=torch.float64).reshape(2 * GRID, 3 * GRID)
    for turn in range(8):
        turns = tuple((turn + at) % 8 for at in range(6))
        assert torch.equal(by_scene(by_tile(values, turns), turns, 3), values)


@pytest.mark.parametrize("factor", FACTORS)
def test_a_choice_of_larger_patches_finds_what_they_hold(factor: int) -> None:
    maps = random_scenes(3)
    tiles = tiles_of(maps, factor)
    bought = torch.rand(tiles.counts.shape, generator=torch.Generator().manual_seed(0)) < 0.3
    masks = masks_of(maps, bought, factor)
    found = sum(one.layers["counts"].numpy()[mask].sum() for one, mask in zip(maps, masks, strict=True))
    assert found == float((tiles.counts * bought).sum())
    assert sum(mask.sum() for mask in masks) == bought.sum() * factor**2
    fine = bought_of(maps, masks)
    assert float((tiles_of(maps).counts * fine).sum()) == found


def test_larger_patches_sum_counts_and_join_presence_and_texture() -> None:
    counts = np.zeros((8, 8))
    counts[0, 0], counts[1, 1] = 2, 3
    one = scene_map(counts)
    layers = coarser(one, 2)
    assert layers["counts"].shape == (4, 4)
    assert layers["counts"][0, 0] == 5
    assert layers["mean"][0, 0] == pytest.approx(5 + 2 * 0.01)
    absent = torch.exp(-one.layers["mean"][:2, :2].sum())
    assert layers["presence"][0, 0] == pytest.approx(float(1 - absent))
    # All pixels of the block have one mean and one spread per patch: law of total variance.
    parts = one.layers["brightness"][:2, :2]
    spread = (one.layers["texture"][:2, :2].square().mean() + parts.var(correction=0)).sqrt()
    assert layers["texture"][0, 0] == pytest.approx(float(spread))


def test_a_scene_smaller_than_a_tile_of_large_patches_has_none() -> None:
    small, large = scene_map(np.ones((4, 4)), name="small"), scene_map(np.ones((8, 12)), name="large")
    tiles = tiles_of((small, large), 2)
    assert tiles.sites == ("large",)
    masks = masks_of((small, large), torch.ones(1, PATCHES, dtype=torch.bool), 2)
    assert masks[0].sum() == 0
    assert masks[1][:, :8].all()
    assert not masks[1][:, 8:].any()


def test_turns_of_larger_tiles_follow_the_name_of_the_scene() -> None:
    one, same, other = (scene_map(np.ones((16, 16)), name=name) for name in ("a", "a", "b"))
    assert turns_of(one, 2) == turns_of(same, 2)
    assert turns_of(one, 2) != turns_of(other, 2)
    assert len(turns_of(one, 4)) == 1
