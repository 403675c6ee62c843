"""The evidence for docs/inputs.md, on made photographs."""

from collections import Counter

import pytest

from tests.evidence.deliveries import Outcome, measure, measure_orders, row
from tests.evidence.made_deliveries import HONEST, WRONG, neighbour, off_30_m, reversed_bands
from tests.evidence.photographs import Layout, Photograph
from tests.support.photographs import make_photograph


@pytest.fixture(scope="module")
def photographs() -> list[Photograph]:
    return [Photograph(source="made", pixels=make_photograph(seed)) for seed in range(6)]


def words(outcomes: dict[str, Counter[Outcome]]) -> Counter[str]:
    return Counter(one.word for found in outcomes.values() for one in found.elements())


def test_no_honest_delivery_is_refused_and_at_most_one_doubted(photographs: list[Photograph]) -> None:
    found = words(measure(photographs, HONEST, 42, seed=3))

    # The made fields are greener than photographs, so that one brown season stands out.
    assert found["refused"] == 0
    assert found["warned"] <= 1


def test_every_wrong_delivery_is_refused_or_doubted(photographs: list[Photograph]) -> None:
    assert words(measure(photographs, WRONG, 48, seed=3))["taken"] == 0


def test_no_honest_delivery_is_refused_if_another_sensor_saw_the_scene(
    photographs: list[Photograph],
) -> None:
    assert words(measure(photographs, HONEST, 42, seed=3, same_sensor=False))["refused"] == 0


@pytest.fixture(scope="module")
def wide() -> list[Photograph]:
    """Two tiles whose patches have 16 x 16 low-resolution pixels of 10 m."""
    layout = Layout(tile_px=512, lr_px=64, tile_m=640)
    return [Photograph(source="made", pixels=make_photograph(n, 512), layout=layout) for n in range(2)]


def test_no_honest_large_patch_is_doubted_if_another_sensor_saw_the_scene(wide: list[Photograph]) -> None:
    assert words(measure(wide, HONEST, 14, seed=3, same_sensor=False)) == {"taken": 14}


def test_every_wrong_large_patch_is_doubted_if_another_sensor_saw_the_scene(wide: list[Photograph]) -> None:
    kinds = (reversed_bands, neighbour, off_30_m)

    assert words(measure(wide, kinds, 12, seed=3, same_sensor=False)) == {"warned": 12}


def test_orders_off_30_m_draw_one_warning_each(wide: list[Photograph]) -> None:
    assert measure_orders(wide, 2, seed=3) == {"honest": 0, "all patches off 30 m": 2}


def test_row_counts_outcomes_by_word_and_names_their_codes() -> None:
    found = Counter({Outcome(word="taken"): 2, Outcome(word="refused", code="patch-misplaced"): 1})

    assert row("black", found) == "| black | 3 | 2 | 0 | 1 | `patch-misplaced` 1 |"
