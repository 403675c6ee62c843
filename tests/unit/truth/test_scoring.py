"""Labels that true labels prove right, counted by hand."""

from datetime import UTC, datetime

import numpy as np
import pytest

from service.truth.checks import LabelUnknownError, TileRepeatedError, TruthTileError, check_truth
from service.truth.repository import newest_of
from service.truth.schemas import TrueLabelIn
from service.truth.scoring import LabelScore, TrueLabel, score_by_class, total_score
from service.truth.tables import TrueLabels

AT = datetime(2026, 11, 29, tzinfo=UTC)
TILES = [
    {"tile": 0, "label": "forest", "lr_label": "forest"},
    {"tile": 1, "label": "forest", "lr_label": "river"},
    {"tile": 2, "label": "river", "lr_label": "forest"},
    {"tile": 4, "label": "river", "lr_label": "river"},
]


def known(**labels: str) -> dict[int, TrueLabel]:
    return {int(tile[1:]): TrueLabel(label=label, key_id="k", at=AT) for tile, label in labels.items()}


def given(version: int, labels: dict[int, str | None]) -> TrueLabels:
    rows = [{"tile": tile, "true_label": label} for tile, label in labels.items()]
    return TrueLabels(version=version, labels=rows, key_id=f"key {version}", created_at=AT)


def test_score_by_class_counts_by_the_true_class() -> None:
    by_class = score_by_class(TILES, known(t0="forest", t1="forest", t2="forest", t3="forest", t4="airport"))
    assert by_class == {
        "airport": LabelScore(tiles=1, right=0, lr_right=0),
        "forest": LabelScore(tiles=3, right=2, lr_right=2),
    }  # tile 3 has no label
    assert total_score(by_class) == LabelScore(tiles=4, right=2, lr_right=2)


def test_score_has_wilsons_interval() -> None:
    score = LabelScore(tiles=10, right=9, lr_right=5)
    assert score.share == 0.9
    assert score.interval == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert score.lr_interval == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_score_of_nothing_has_no_share() -> None:
    score = total_score(score_by_class(TILES, {}))
    assert (score.tiles, score.share, score.interval, score.lr_share) == (0, None, None, None)


def test_newest_true_label_of_a_tile_counts() -> None:
    found = newest_of([given(1, {0: "forest", 1: "forest"}), given(2, {1: "river"}), given(3, {0: None})])
    assert {tile: (one.label, one.key_id) for tile, one in found.items()} == {1: ("river", "key 2")}


@pytest.mark.parametrize(
    ("tiles", "error", "sentence"),
    [
        ([(0, "forest"), (0, "river")], TileRepeatedError, "Tile 0 is given more than once"),
        ([(3, "forest")], TruthTileError, "There is no tile 3: the plan has the tiles 0 to 2"),
        ([(1, "forest")], TruthTileError, "Tile 1 has too little valid data"),
        ([(0, "woods")], LabelUnknownError, "'woods' is no class of the plan's bundle"),
    ],
)
def test_check_truth_refuses_what_cannot_be_compared(
    tiles: list[tuple[int, str]], error: type[Exception], sentence: str
) -> None:
    labels = [TrueLabelIn(tile=tile, true_label=label) for tile, label in tiles]
    with pytest.raises(error, match=sentence):
        check_truth(labels, np.array([True, False, True]), ("forest", "river"))
    assert check_truth([TrueLabelIn(tile=2, true_label=None)], np.array([True] * 3), ("forest",)) == {2: None}
