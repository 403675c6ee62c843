"""Images held out for validation and cross-fitting: by site, by equal content, and stratified by class."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor


class Labelled(Protocol):
    """The labels and sites of some images, without their pixels."""

    @property
    def labels(self) -> Tensor:
        """Labels as int64 (N,), on the CPU."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the labels."""

    @property
    def digests(self) -> tuple[str, ...]:
        """One digest per image; images with equal digests count as the same image."""

    @property
    def sites(self) -> tuple[str, ...]:
        """The place where each image was taken; empty if it is not known."""


def split_groups(images: Labelled, per_class: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return the indices (rest, held out), with at least `per_class` images of each class held out.

    Images of one site go to the same side, whatever their classes; without sites, images of equal digests
    do. No held-out image has therefore been memorised, and a class may have more images held out than
    `per_class`.
    """
    held = _held_sites(images, per_class, seed) if images.sites else _held_images(images, per_class, seed)
    mask = torch.zeros(len(images.labels), dtype=torch.bool)
    mask[held] = True
    # Through a mask (N,), both index lists come out ascending, in the order of the data set.
    return (~mask).nonzero()[:, 0], mask.nonzero()[:, 0]


def fold_of(images: Labelled, indices: Tensor, folds: int, seed: int) -> Tensor:
    """Return the fold of every image as int64 (N,), stratified by class; -1 for images outside `indices`.

    Images of one site share a fold, whatever their classes.
    """
    numbers = torch.full((len(images.labels),), -1)
    if images.sites:
        for number, part in enumerate(_folds_of_sites(images, indices.tolist(), folds, seed)):
            numbers[part] = number
        return numbers
    for groups in _shuffled_copies(images, indices.tolist(), seed):
        for position, group in enumerate(groups):
            numbers[group] = position % folds  # groups are in random order, so dealing them out is a draw
    return numbers


def _held_images(images: Labelled, per_class: int, seed: int) -> list[int]:
    held: list[int] = []
    for groups in _shuffled_copies(images, range(len(images.labels)), seed):
        taken: list[int] = []
        for group in groups:
            if len(taken) < per_class:  # whole groups only, so the last one may overshoot
                taken += group
        held += taken
    return held


def _held_sites(images: Labelled, per_class: int, seed: int) -> list[int]:
    """Hold out whole sites, in random order, until every class has `per_class` images held out."""
    held: list[int] = []
    missing = dict.fromkeys(range(len(images.classes)), per_class)
    for group in _shuffled_sites(images, range(len(images.labels)), seed):
        labels = images.labels[group].tolist()
        if any(missing[label] > 0 for label in labels):
            held += group
            for label in labels:
                missing[label] -= 1
    return held


def _folds_of_sites(images: Labelled, indices: Sequence[int], folds: int, seed: int) -> list[list[int]]:
    """Deal whole sites to folds, each to the fold that has least of its classes; large sites first."""
    parts: list[list[int]] = [[] for _ in range(folds)]
    size = len(images.classes)
    # An image weighs the more, the rarer its class: otherwise the common class alone would decide.
    total = torch.bincount(images.labels[list(indices)].cpu(), minlength=size).clamp_min(1)
    shares = torch.zeros(folds, size, dtype=torch.float64)
    groups = [
        (group, torch.bincount(images.labels[group].cpu(), minlength=size) / total)
        for group in _shuffled_sites(images, indices, seed)
    ]
    for group, share in sorted(groups, key=lambda one: float(one[1].sum()), reverse=True):
        fold = int((shares @ share.double()).argmin())  # (folds, classes) @ (classes,) -> (folds,)
        parts[fold] += group
        shares[fold] += share
    return parts


def _shuffled_copies(images: Labelled, indices: Sequence[int], seed: int) -> Iterator[list[list[int]]]:
    """Yield for each class its groups of equal digests, in random order."""
    # A generator of its own: the split must not depend on random numbers that were drawn before.
    generator = torch.Generator().manual_seed(seed)
    by_class: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index in indices:
        by_class[int(images.labels[index])][images.digests[index]].append(index)
    for label in sorted(by_class):  # by label, or the order of `indices` would change the draws
        groups = list(by_class[label].values())
        yield [groups[i] for i in torch.randperm(len(groups), generator=generator).tolist()]


def _shuffled_sites(images: Labelled, indices: Sequence[int], seed: int) -> list[list[int]]:
    """Return the indices of each site, in random order of the sites."""
    by_site: dict[str, list[int]] = defaultdict(list)
    for index in indices:
        by_site[images.sites[index]].append(index)
    groups = [by_site[site] for site in sorted(by_site)]
    order = torch.randperm(len(groups), generator=torch.Generator().manual_seed(seed))
    return [groups[at] for at in order.tolist()]
