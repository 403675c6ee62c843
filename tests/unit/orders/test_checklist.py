"""The checklist of an order: bought and awaited patches, and their shares of the cost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from service.ledger.book import allocate
from service.orders.checklist import Checklist
from tests.support.money import cents

masks = hnp.arrays(np.bool_, st.tuples(st.integers(1, 6), st.just(16)))


def make_checklist(*places: tuple[int, int], tiles: int = 3) -> Checklist:
    selected = np.zeros((tiles, 16), np.bool_)
    for place in places:
        selected[place] = True
    return Checklist(selected=selected)


@pytest.mark.parametrize(
    ("tile", "patch"),
    [
        (0, 3),  # inside the scene, not bought
        (3, 5),  # beyond the last tile
        (-2, 5),  # numpy would count from the end
        (1, 16),  # beyond the last patch
        (1, -11),  # numpy would count from the end
        (10**30, 5),  # does not fit into a machine word
    ],
)
def test_checklist_knows_places_that_were_not_bought(tile: int, patch: int) -> None:
    checklist = make_checklist((0, 2), (1, 5))

    assert not checklist.is_bought(tile, patch)
    with pytest.raises(ValueError, match="was not bought"):
        checklist.rank(tile, patch)


@given(masks)
def test_checklist_ranks_follow_plan_order(selected: NDArray[np.bool_]) -> None:
    checklist = Checklist(selected=selected)
    ranks = [checklist.rank(tile, patch) for tile, patch in checklist.awaited([])]

    assert ranks == list(range(checklist.total))


@given(masks, st.integers(0, 10**9))
def test_checklist_shares_sum_to_the_whole_amount(selected: NDArray[np.bool_], amount: int) -> None:
    checklist = Checklist(selected=selected)
    places = checklist.awaited([])
    shares = [allocate(cents(amount), checklist.total, checklist.rank(*place)).minor for place in places]

    assert sum(shares) == (amount if places else 0)


def test_checklist_awaits_only_undelivered_patches() -> None:
    checklist = make_checklist((0, 2), (1, 5), (2, 15))

    assert checklist.awaited([(1, 5)]) == [(0, 2), (2, 15)]
    assert checklist.awaited([]) == [(0, 2), (1, 5), (2, 15)]
