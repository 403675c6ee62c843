from typing import Any

import pytest

from training.run.differences import differences


@pytest.mark.parametrize(
    ("card", "measured", "sentences"),
    [
        ({"a": {"b": [1, 2.5]}}, {"a": {"b": [1, 2.5]}}, []),
        (
            {"a": {"b": [1, 2]}},
            {"a": {"b": [1, 3]}},
            ["a.b[1] is 2 on the card, and 3 in the measurement."],
        ),
        ({"a": 1}, {}, ["a is on the card, but was not measured."]),
        ({}, {"a": 1}, ["a was measured, but is not on the card."]),
        ({"a": [1]}, {"a": [1, 2]}, ["a is [1] on the card, and [1, 2] in the measurement."]),
        ({"a": {"b": 1}}, {"a": 1}, ["a is {'b': 1} on the card, and 1 in the measurement."]),
    ],
)
def test_differences_name_each_figure_that_is_not_the_same(
    card: Any, measured: Any, sentences: list[str]
) -> None:
    assert list(differences(card, measured)) == sentences
