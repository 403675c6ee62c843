"""Controls: another tile's LR is worth nothing, and a gain is only claimed beyond its interval."""

import numpy as np
import torch

from tests.support.objects import random_scenes, scene_map
from training.objects.maps import tiles_of
from training.where.controls import gain_over, with_other_lr
from training.where.evidence import controls, row_of
from training.where.orders import OURS
from training.where.rows import PER_TILE, PORTFOLIO, Seen

BINS = (1, 10)


def test_every_tile_gets_the_lr_of_another_site_and_keeps_its_truth() -> None:
    maps = tuple(
        scene_map(np.full((8, 8), float(at)), mean=np.full((8, 8), at + 1.0), name=str(at)) for at in range(3)
    )
    tiles = tiles_of(maps)
    other = with_other_lr(tiles)
    assert other is not None
    assert torch.equal(other.counts, tiles.counts)
    assert (other.mean != tiles.mean).all()
    assert sorted(other.mean[:, 0].tolist()) == sorted(tiles.mean[:, 0].tolist())


def test_one_site_with_most_of_the_tiles_leaves_no_other_lr() -> None:
    maps = (scene_map(np.ones((8, 8)), name="a"), scene_map(np.ones((4, 4)), name="b"))
    assert with_other_lr(tiles_of(maps)) is None
    assert "other_lr" not in controls([Seen(maps=maps)], BINS)


def test_the_gain_over_fixed_h_vanishes_with_the_lr_of_another_site() -> None:
    found = controls([Seen(maps=random_scenes(20, side=2, seed=1))], BINS)
    assert found["own_lr"][PER_TILE]["differs"]
    assert found["own_lr"][PER_TILE]["low"] > 0.2
    assert not found["other_lr"][PER_TILE]["differs"]


def test_whole_scenes_with_all_objects_in_the_middle_show_no_gain_over_fixed_h() -> None:
    counts = np.zeros((16, 16))
    counts[4:12, 4:12] = 1  # the photographer's centre: the four middle patches of a scene as a tile
    maps = tuple(scene_map(counts, name=str(at)) for at in range(4))
    found = controls([Seen(maps=maps)], BINS)
    assert found["whole_scenes"][PER_TILE]["rival"] == 1
    assert not found["whole_scenes"][PER_TILE]["differs"]
    assert found["own_lr"][PORTFOLIO]["differs"]


def test_gain_over_itself_is_zero() -> None:
    tiles = [tiles_of(random_scenes(3))]
    row = row_of(OURS, PER_TILE, BINS)
    gain = gain_over(tiles, row, row, 4)
    assert (gain.gain, gain.low, gain.high, gain.differs) == (0, 0, 0, False)
