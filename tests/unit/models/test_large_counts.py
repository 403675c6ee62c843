"""Quantiles of large counts, against the tables of every count that smaller ones use."""

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from models import answers
from models.answers import count_interval
from models.counts import Counts


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_interval_of_expected_counts_is_off_by_one_object_at_most(
    monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    cases = list(product((1000.0, 20_000.0), (1e-6, 1e-3, 0.05, 0.7, 3.0)))
    mean, dispersion = (column(*values) for values in zip(*cases, strict=True))
    counts = Counts(mean=mean, dispersion=dispersion)
    monkeypatch.setattr(answers, "_LARGE", 0)
    quick = count_interval(counts, share)
    monkeypatch.setattr(answers, "_LARGE", math.inf)
    for one, other in zip(quick, count_interval(counts, share), strict=True):
        assert (one - other).abs().max() <= 1


def test_ten_million_objects_have_the_interval_of_a_normal_count() -> None:
    low, high = count_interval(Counts.of_moments(column(1e7), column(4e7)), 0.95)
    reach = 1.959964 * math.sqrt(4e7)
    assert float(low) == pytest.approx(1e7 - reach, abs=20)
    assert float(high) == pytest.approx(1e7 + reach, abs=20)


def test_small_and_large_counts_of_one_call_keep_their_places() -> None:
    counts = Counts.of_moments(column(3, 9000, 0.1, 20_000), column(6, 90_000, 0.2, 60_000))
    alone = [
        count_interval(Counts(mean=counts.mean[[at]], dispersion=counts.dispersion[[at]]), 0.95)
        for at in range(4)
    ]
    low, high = count_interval(counts, 0.95)
    assert low.tolist() == [float(one) for one, _ in alone]
    assert high.tolist() == [float(one) for _, one in alone]
