import pytest
import torch

from training.data.held_out import fold_of, split_groups
from training.data.images import Images


def images_of(labels: list[int], sites: list[str]) -> Images:
    pixels = torch.zeros(len(labels), 3, 4, 4, dtype=torch.uint8)
    return Images(
        labels=torch.tensor(labels),
        classes=("none", "some"),
        digests=tuple(str(number) for number in range(len(labels))),
        sites=tuple(sites),
        hr=pixels,
        lr=pixels,
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_site_with_tiles_of_two_classes_is_never_cut(seed: int) -> None:
    sites = [f"site{number // 4}" for number in range(48)]
    images = images_of([number % 2 for number in range(48)], sites)
    rest, held = split_groups(images, 5, seed)
    assert not {sites[i] for i in rest.tolist()} & {sites[i] for i in held.tolist()}
    assert torch.bincount(images.labels[held]).min() >= 5
    fold = fold_of(images, rest, 3, seed)
    assert set(fold[held].tolist()) == {-1}
    for site in {sites[i] for i in rest.tolist()}:
        assert len({int(fold[i]) for i in rest.tolist() if sites[i] == site}) == 1
    assert set(fold[rest].tolist()) == {0, 1, 2}


def test_folds_of_sites_hold_similar_numbers_of_each_class() -> None:
    sites = [f"site{number // 3}" for number in range(90)]
    images = images_of([int(number % 9 == 0) for number in range(90)], sites)
    fold = fold_of(images, torch.arange(90), 5, seed=0)
    shares = [torch.bincount(images.labels[fold == number], minlength=2) for number in range(5)]
    assert all(share.tolist() == [16, 2] for share in shares)
