"""Rows of the table: every choice spends what it is given, and the oracles are upper bounds."""

import numpy as np
import pytest
import torch

from tests.support.objects import random_scenes, scene_map
from training.where.orders import FIXED, ORACLE
from training.where.rows import LABEL_ORACLE, PER_TILE, PORTFOLIO, Seen, measure, table_rows

BINS = (1, 10)


def test_every_row_buys_at_most_its_mean_number_of_patches() -> None:
    seen = Seen(maps=random_scenes(3))
    for row in table_rows(BINS):
        for patches in (1, 4):
            bought = row.choose(seen.tiles[1], 0, patches)
            total = int(bought.sum())
            assert total <= patches * len(bought), row.name
            if row.order != LABEL_ORACLE:
                assert total == patches * len(bought), row.name


def test_a_fixed_order_has_one_row_and_every_other_order_two() -> None:
    orders = [row.order for row in table_rows(BINS)]
    assert all(orders.count(order) == (1 if order in FIXED else 2) for order in orders)


@pytest.mark.parametrize("spending", [PER_TILE, PORTFOLIO])
def test_no_row_beats_the_oracles_of_objects_and_of_labels(spending: str) -> None:
    seen = [Seen(maps=random_scenes(3, seed=seed)) for seed in (0, 1)]
    cells = {row: measure(seen, row, 2, BINS) for row in table_rows(BINS) if row.spending == spending}
    for what, oracle in (("found", ORACLE), ("right", LABEL_ORACLE)):
        sums = {row.order: float(getattr(cell, what).sum()) for row, cell in cells.items()}
        assert max(sums.values()) == sums[oracle]


def test_label_oracle_buys_the_one_patch_that_changes_the_label() -> None:
    counts = np.zeros((4, 8))
    counts[1, 2] = 5  # left tile: LR expects nothing anywhere, so its label is wrong until this is seen
    seen = Seen(maps=(scene_map(counts, mean=np.full((4, 8), 0.001)),))
    row = next(one for one in table_rows(BINS) if (one.order, one.spending) == (LABEL_ORACLE, PORTFOLIO))
    bought = row.choose(seen.tiles[1], 0, 8)
    assert bought.sum(1).tolist() == [1, 0]
    assert bool(bought[0, 4 * 2 + 1])  # column-major
    assert measure([seen], row, 8, BINS).right.tolist() == [1, 1]


def test_measure_takes_means_over_seeds() -> None:
    one = Seen(maps=random_scenes(2))
    row = table_rows(BINS)[0]
    alone, twice = measure([one], row, 4, BINS), measure([one, one], row, 4, BINS)
    assert torch.equal(alone.found, twice.found)
    assert len(twice.masks) == 2
