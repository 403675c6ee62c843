"""Rows of the file of the map."""

import csv

import pytest

from service.dashboard.ground import MappedGround
from service.dashboard.ground_files import GROUND_COLUMNS, _row
from service.web.tabular import to_csv
from tests.support.places import square


@pytest.mark.parametrize("lon", [-118.25, -0.005, -0.00495, 0.0, 13.4, 179.5])
@pytest.mark.parametrize("lat", [-67.5, -0.005, 0.0, 52.5])
def test_middle_is_a_number_on_every_side_of_equator_and_meridian(lon: float, lat: float) -> None:
    (place,) = square(lon, lat, 0.01)
    (row,) = csv.DictReader(to_csv(GROUND_COLUMNS, [_row(MappedGround(place))]).splitlines())

    assert "e" not in f"{row['longitude']}{row['latitude']}"
    assert float(row["longitude"]) == pytest.approx(lon + 0.005)
    assert float(row["latitude"]) == pytest.approx(lat + 0.005)
