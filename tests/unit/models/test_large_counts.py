"""Quantiles of large counts, against the tables of every count that smaller ones use."""

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from models import answers
from models.answers import TileAnswers, count_interval
from models.counts import Counts

SHARES = (0.025, 0.1, 0.5, 0.9, 0.975)


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def of_both_ways(
    monkeypatch: pytest.MonkeyPatch, made: TileAnswers, share: float
) -> tuple[list[float], list[float]]:
    monkeypatch.setattr(answers, "_LARGE", 0)
    quick = made.quantile(share).tolist()
    monkeypatch.setattr(answers, "_LARGE", math.inf)
    return quick, made.quantile(share).tolist()


@pytest.mark.parametrize("share", SHARES)
def test_sum_with_a_reading_is_off_by_one_object_or_a_fiftieth_of_its_deviation(
    monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    cases = list(product((50.0, 500.0, 3000.0), (1e-3, 0.7, 2.0), (0.0, 5000.0), (1e-9, 400.0, 250_000.0)))
    unseen, dispersion, seen, seen_variance = (column(*values) for values in zip(*cases, strict=True))
    made = TileAnswers(
        seen=seen, seen_variance=seen_variance, unseen=Counts(mean=unseen, dispersion=dispersion)
    )
    quick, exact = of_both_ways(monkeypatch, made, share)
    for one, other, deviation in zip(quick, exact, made.variance.sqrt().tolist(), strict=True):
        assert abs(one - other) <= max(1, 0.02 * deviation)


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
    half = column(5e6)
    made = TileAnswers(seen=half, seen_variance=half / 10, unseen=Counts.of_moments(half, 4 * half))
    low, high = made.interval(0.95)
    reach = 1.959964 * math.sqrt(4.1 * 5e6)
    assert float(low) == pytest.approx(1e7 - reach, abs=20)
    assert float(high) == pytest.approx(1e7 + reach, abs=20)


def test_large_counts_that_are_all_read_have_the_interval_of_the_reading() -> None:
    made = TileAnswers(
        seen=column(20_000), seen_variance=column(100), unseen=Counts.of_moments(column(1e-9), column(1e-9))
    )
    assert [float(end) for end in made.interval(0.95)] == [19_980, 20_020]


def test_small_and_large_counts_of_one_call_keep_their_places() -> None:
    counts = Counts.of_moments(column(3, 9000, 0.1, 20_000), column(6, 90_000, 0.2, 60_000))
    alone = [
        count_interval(Counts(mean=counts.mean[[at]], dispersion=counts.dispersion[[at]]), 0.95)
        for at in range(4)
    ]
    low, high = count_interval(counts, 0.95)
    assert low.tolist() == [float(one) for one, _ in alone]
    assert high.tolist() == [float(one) for _, one in alone]
    zero = torch.zeros(4, dtype=torch.float64)
    made = TileAnswers(seen=zero, seen_variance=zero + 1e-9, unseen=counts)
    answered = [
        [float(made._rows(torch.arange(4) == at).quantile(share)) for at in range(4)]
        for share in ((1 - 0.95) / 2, (1 + 0.95) / 2)
    ]
    assert [end.tolist() for end in made.interval(0.95)] == answered
