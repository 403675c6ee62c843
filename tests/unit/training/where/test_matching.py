"""Sizes at which everything bought is matched, and rows at equal money, by hand-made scenes."""

import numpy as np
import pytest

from tests.support.objects import random_scenes, scene_map
from training.where.bills import Terms
from training.where.dollars import SWEPT, frontier, swept
from training.where.equal_money import TARGETS, at_equal_money
from training.where.matching import matched_at
from training.where.orders import OURS
from training.where.rows import PER_TILE, PORTFOLIO, Row, Seen, table_rows

BINS = (1, 10)


def row(order: str, spending: str) -> Row:
    return next(one for one in table_rows(BINS) if (one.order, one.spending) == (order, spending))


def test_everything_is_matched_where_the_last_wrong_label_is_read() -> None:
    counts = np.zeros((4, 8))
    counts[0, 0] = counts[1, 6] = 5  # a patch in each tile, of which LR expects little
    mean = np.full((4, 8), 0.001)
    mean[0, 0], mean[1, 6] = 0.2, 0.1
    seen = Seen(maps=(scene_map(counts, mean=mean),)).read_perfectly()
    # Two patches make both labels right: one per tile on the mean.
    assert matched_at([seen], row(OURS, PORTFOLIO), BINS) == 1
    assert matched_at([seen], row("Fixed-H", PER_TILE), BINS) > 1


def test_perfect_reading_reads_the_true_count_and_leaves_the_choice() -> None:
    seen = Seen(maps=random_scenes(2))
    perfect = seen.read_perfectly()
    assert perfect.tiles[1].read.equal(seen.tiles[1].counts)
    assert perfect.tiles[1].mean.equal(seen.tiles[1].mean)


def test_no_row_spends_more_than_the_leading_one() -> None:
    seen = [Seen(maps=random_scenes(3))]
    terms = Terms(patch_km2=0.04, minimum_km2=0.1)
    made = {}
    for name, one in (("ours", row(OURS, PORTFOLIO)), ("fixed", row("Fixed-H", PER_TILE))):
        choices = swept(seen, one, 1)
        made[name] = choices, frontier(seen, choices, terms)
    points = at_equal_money(seen, made, "ours", BINS)
    assert [point["target"] for point in points] == list(TARGETS)
    for point in points:
        ours, fixed = (point["rows"][name] for name in ("ours", "fixed"))
        assert point["usd"] == pytest.approx(ours["bill"] * float(made["ours"][1].whole.sum()), abs=0.1)
        assert ours["found"] >= point["target"]
        assert fixed["bill"] <= ours["bill"]
        # A row buys nothing before it spends too much.
        assert fixed["patches"] in SWEPT
        alone = point["alone"]["fixed"]
        assert alone["found"] >= point["target"]
        assert alone["bill"] >= fixed["bill"]
