"""The filters of the map."""

import numpy as np
import pytest

from service.dashboard.ground import Places
from service.dashboard.map_filter import MapFilters
from tests.support.places import square

PLACES = np.concatenate([square(10, 50, 1), square(11, 51, 1, "ordered"), square(12, 52, 1, "planned")])


def chosen(places: Places, **filters: str) -> list[float]:
    """Return the western ends of the places that filters choose."""
    found: list[float] = MapFilters(**filters).choose(places)["extent"][:, 0].tolist()
    return found


def test_plan_whose_prices_have_expired_is_left_out() -> None:
    places = PLACES.copy()
    places["until"][2] = np.datetime64("2026-01-01", "us")
    assert chosen(PLACES) == [10, 11, 12]
    assert chosen(places) == [10, 11]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"kind": "ordered"}, [11]),
        ({"first_day": "2026-10-30"}, [11, 12]),
        ({"last_day": "2026-10-31"}, [10]),
        ({"last_day": "2026-11-01"}, [10, 11, 12]),
        ({"currency": "USD"}, [10, 12]),
        ({"currency": "USD", "at_least": "2.00"}, [12]),
        ({"currency": "EUR"}, [11]),
        ({"box": "10.5,50.5,11.5,51.5"}, [10, 11]),
    ],
)
def test_filter_chooses_by_kind_day_cost_and_part(filters: dict[str, str], expected: list[float]) -> None:
    places = PLACES.copy()
    places["made"][0] = np.datetime64("2026-10-29", "us")
    places["currency"], places["minor"] = [b"USD", b"EUR", b"USD"], [199, 900, 200]
    assert chosen(places, **filters) == expected


def test_query_names_the_filters_that_are_set() -> None:
    filters = MapFilters(kind="owned", box="1,2,3,4")
    assert (filters.query, filters.everywhere) == ("kind=owned&box=1%2C2%2C3%2C4", "kind=owned")
    assert filters.within("5,6,7,8") == "kind=owned&box=5%2C6%2C7%2C8"
    assert not MapFilters().are_set


def test_blanks_around_a_filter_are_left_out() -> None:
    typed = MapFilters(kind=" owned", currency="USD ", at_least=" 1.00 ", box=" 1,2,3,4", first_day=" ")
    assert typed == MapFilters(kind="owned", currency="USD", at_least="1.00", box="1,2,3,4")
