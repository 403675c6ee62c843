"""The day that a file states, and the sampled pixels of a scene."""

from datetime import date

import numpy as np
import pytest

from service.imagery.acquisition import SAMPLED, find_acquired_on, sample_pixels


@pytest.mark.parametrize(
    ("items", "day"),
    [
        ({"acquisition_date": "2026-05-01"}, date(2026, 5, 1)),
        ({"datatake_1_datatake_sensing_start": "2026-05-01T10:20:31.024Z"}, date(2026, 5, 1)),
        ({"date_acquired": "20260501"}, date(2026, 5, 1)),
        ({"acquisitiondatetime": "2026-13-01", "acquired": "2026:05:01 10:00"}, date(2026, 5, 1)),
        ({"tifftag_datetime": "2026:05:01 10:00:00"}, None),  # when the file was written
        ({"acquisition_date": "in May"}, None),
        ({}, None),
    ],
)
def test_day_of_acquisition_is_read_from_metadata(items: dict[str, str], day: date | None) -> None:
    assert find_acquired_on(items) == day


@pytest.mark.parametrize(("tiles", "side", "values"), [(1, 4, 16), (6, 8, SAMPLED), (40, 8, SAMPLED)])
def test_sample_has_grey_values_spread_over_all_tiles(tiles: int, side: int, values: int) -> None:
    pixels = np.zeros((tiles, 3, side, side), np.uint8)
    pixels[-1] = 90
    pixels[-1, 0] = 120

    sample = sample_pixels(pixels)

    assert len(sample) == values
    assert (sample[0], sample[-1]) == (100 if tiles == 1 else 0, 100)
