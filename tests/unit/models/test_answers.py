"""Answers for tiles of two patches with objects, for all four choices, against sums over every outcome."""

import math
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.answers import TileAnswers, count_interval
from models.counts import Counts, Reading
from models.grid import PATCHES

Probabilities = NDArray[np.float64]

PLACES = (3, 9)
MEANS = (2.0, 5.0)
WIDER = 1.8
"""Variance of a count by its mean: the same in both patches, so that their sum is a negative binomial too."""
READ = ((4.2, 1.8 * 4.2), (0.4, 1.8 * 0.4))
"""Mean and variance of what is known of each patch once it is bought."""
MOST = 120
CHOICES = list(product((False, True), repeat=2))


def tile(choice: tuple[bool, ...]) -> TileAnswers:
    mean = torch.full((1, PATCHES), 1e-12)
    read, spread = torch.full((1, PATCHES), math.nan), torch.full((1, PATCHES), math.nan)
    bought = torch.zeros(1, PATCHES, dtype=torch.bool)
    for place, expected, (number, variance), buys in zip(PLACES, MEANS, READ, choice, strict=True):
        mean[0, place], bought[0, place] = expected, buys
        if buys:
            read[0, place], spread[0, place] = number, variance
    counts = Counts.of_moments(mean.double(), WIDER * mean.double())
    return TileAnswers.of(bought, Reading(mean=read, variance=spread), counts)


def negative_binomial(mean: float) -> Probabilities:
    size, chance = mean / (WIDER - 1), 1 / WIDER
    values = [
        math.exp(math.lgamma(k + size) - math.lgamma(size) - math.lgamma(k + 1))
        * chance**size
        * (1 - chance) ** k
        for k in range(MOST)
    ]
    return np.array(values)


def enumerated(choice: tuple[bool, ...]) -> Probabilities:
    """Return the probability of each total, as the sum over all pairs of counts of the two patches."""
    first, second = (
        negative_binomial(read[0] if buys else mean)
        for mean, read, buys in zip(MEANS, READ, choice, strict=True)
    )
    return np.convolve(first, second)[:MOST]


@pytest.mark.parametrize("choice", CHOICES)
def test_answers_equal_the_sum_over_every_outcome(choice: tuple[bool, ...]) -> None:
    one, total = tile(choice), enumerated(choice)
    assert total.sum() == pytest.approx(1, abs=1e-9)
    cumulative = np.cumsum(total)
    for count in range(30):
        assert float(one.at_most(torch.tensor([float(count)]))) == pytest.approx(cumulative[count], abs=1e-6)
    for share in (0.025, 0.1, 0.5, 0.9, 0.975):
        assert float(one.quantile(share)) == np.searchsorted(cumulative, share)
    classes = one.class_probabilities((1, 5, 10))[0].tolist()
    edges = [0, 1, 5, 10, MOST]
    assert classes == pytest.approx([float(total[low:high].sum()) for low, high in pairwise(edges)], abs=1e-6)


@pytest.mark.parametrize("choice", CHOICES)
def test_mean_and_variance_add_what_is_read_and_what_is_expected(choice: tuple[bool, ...]) -> None:
    one = tile(choice)
    parts = [
        (read[0], read[1]) if buys else (mean, WIDER * mean)
        for mean, read, buys in zip(MEANS, READ, choice, strict=True)
    ]
    assert float(one.mean) == pytest.approx(sum(mean for mean, _ in parts), abs=1e-6)
    assert float(one.variance) == pytest.approx(sum(variance for _, variance in parts), abs=1e-5)


def test_a_wide_interval_holds_a_narrow_one_and_the_median() -> None:
    one = tile((True, False))
    (low80, high80), (low95, high95) = one.interval(0.8), one.interval(0.95)
    assert low95 <= low80 <= one.quantile(0.5) <= high80 <= high95
    assert low95 < high95


def test_a_tile_bought_whole_and_read_exactly_has_one_answer() -> None:
    bought = torch.ones(1, PATCHES, dtype=torch.bool)
    reading = Reading(mean=torch.ones(1, PATCHES), variance=torch.zeros(1, PATCHES))
    unknown = torch.full((1, PATCHES), math.nan)
    one = TileAnswers.of(bought, reading, Counts(mean=unknown, dispersion=unknown))
    assert one.interval(0.95) == (torch.tensor([16.0]), torch.tensor([16.0]))
    assert one.class_probabilities((1, 10, 17))[0].tolist() == pytest.approx([0, 0, 1, 0], abs=1e-6)


def test_an_exact_reading_shifts_the_count_of_the_others() -> None:
    bought = torch.zeros(1, PATCHES, dtype=torch.bool)
    bought[0, PLACES[0]] = True
    mean = torch.full((1, PATCHES), 1e-12, dtype=torch.float64)
    mean[0, PLACES[1]] = MEANS[1]
    counts = Counts.of_moments(mean, WIDER * mean)
    reading = Reading(mean=torch.full((1, PATCHES), 7.0), variance=torch.zeros(1, PATCHES))
    one = TileAnswers.of(bought, reading, counts)
    other = np.cumsum(negative_binomial(MEANS[1]))
    for count in (6, 7, 9, 15):
        wanted = other[count - 7] if count >= 7 else 0
        assert float(one.at_most(torch.tensor([float(count)]))) == pytest.approx(wanted, abs=1e-6)
    assert float(one.quantile(0.5)) == 7 + np.searchsorted(other, 0.5)
    assert float(one.mean) == pytest.approx(12)


def test_many_tiles_are_answered_as_each_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    ones = [tile(choice) for choice in CHOICES]
    together = TileAnswers(
        certain=torch.cat([one.certain for one in ones]),
        uncertain=Counts(
            mean=torch.cat([one.uncertain.mean for one in ones]),
            dispersion=torch.cat([one.uncertain.dispersion for one in ones]),
        ),
    )
    monkeypatch.setattr("models.answers._CELLS", 100)  # one or two tiles at a time
    assert torch.equal(together.quantile(0.9), torch.cat([one.quantile(0.9) for one in ones]))
    counts = torch.full((4,), 6.0)
    assert torch.allclose(together.at_most(counts), torch.cat([one.at_most(counts[:1]) for one in ones]))


def test_no_tiles_have_no_answers() -> None:
    none = torch.zeros(0, PATCHES)
    answers = TileAnswers.of(
        none.bool(), Reading(mean=none, variance=none), Counts(mean=none, dispersion=none)
    )
    assert answers.quantile(0.5).shape == (0,)
    assert answers.class_probabilities((1, 10)).shape == (0, 3)


@pytest.mark.parametrize("share", [0.8, 0.95])
def test_count_interval_is_that_of_answers_without_a_bought_patch(share: float) -> None:
    mean = torch.tensor([0.001, 0.4, 3.0, 40.0, 250.0], dtype=torch.float64)
    counts = Counts.of_moments(mean, mean + 0.7 * mean**2)
    answers = TileAnswers(certain=torch.zeros(len(mean), dtype=torch.float64), uncertain=counts)
    low, high = count_interval(counts, share)
    assert (low.tolist(), high.tolist()) == tuple(end.tolist() for end in answers.interval(share))
    assert high[0] == 0
    assert low[-1] > 0
