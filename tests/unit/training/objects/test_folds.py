"""Folds of scenes by site."""

from pathlib import Path

import numpy as np
import pytest

from training.data.object_scenes import ObjectScene
from training.objects.folds import folds_of


def scene(number: int, site: str, objects: int) -> ObjectScene:
    return ObjectScene(
        name=f"s{number}",
        site=site,
        split="train",
        fold="",
        columns=1,
        rows=1,
        centres=np.full((objects, 2), 0.5),
        sizes=np.zeros((objects, 2)),
        turns=(0,),
        folder=Path(),
    )


def test_scenes_of_one_site_share_a_fold_and_rich_scenes_are_spread() -> None:
    scenes = [scene(number, str(number // 2), 100 * (number < 12)) for number in range(24)]
    folds = folds_of(scenes, 3, 0)
    assert sorted(set(folds.tolist())) == [0, 1, 2]
    for number in range(0, 24, 2):
        assert folds[number] == folds[number + 1]
    for fold in range(3):
        assert (
            sum(100 for one, number in zip(scenes, folds, strict=True) if number == fold and len(one.centres))
            == 400
        )


def test_folds_repeat_with_their_seed() -> None:
    scenes = [scene(number, str(number), number) for number in range(20)]
    assert folds_of(scenes, 4, 1).tolist() == folds_of(scenes, 4, 1).tolist()
    assert folds_of(scenes, 4, 1).tolist() != folds_of(scenes, 4, 2).tolist()


def test_more_folds_than_sites_are_refused() -> None:
    with pytest.raises(ValueError, match="3 sites at least"):
        folds_of([scene(0, "a", 1), scene(1, "a", 1), scene(2, "b", 1)], 3, 0)
