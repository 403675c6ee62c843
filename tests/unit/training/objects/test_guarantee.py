"""Guarantees on losses whose mean is known."""

import numpy as np
import pytest

from training.objects.guarantee import certify, least_epsilon, p_values

RANDOM = np.random.default_rng(0)


def losses(mean: float, sites: int, repeats: int = 400) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Draw the share of 16 tiles that is lost at each site."""
    return RANDOM.binomial(16, mean, (repeats, sites)) / 16


@pytest.mark.parametrize("kind", ["tiles", "whole sites"])
def test_a_mean_loss_of_epsilon_is_certified_in_fewer_than_delta_of_the_draws(kind: str) -> None:
    drawn = losses(0.1, 60) if kind == "tiles" else (RANDOM.random((400, 60)) < 0.1).astype(np.float64)
    assert (p_values(drawn, 0.1) <= 0.1).mean() < 0.1


def test_a_small_loss_at_many_sites_is_certified() -> None:
    assert (p_values(losses(0.02, 200), 0.1) <= 0.1).mean() > 0.95


def test_p_values_do_not_hang_on_the_order_of_the_sites() -> None:
    drawn = losses(0.03, 60, 1)
    forward, backward = p_values(drawn, 0.1)[0], p_values(drawn[:, ::-1], 0.1)[0]
    assert forward == pytest.approx(backward, rel=0.2)


@pytest.mark.parametrize("sites", [19, 59, 78])
def test_least_epsilon_is_certified_without_any_loss_and_nothing_smaller(sites: int) -> None:
    nothing, least = np.zeros((1, sites)), least_epsilon(sites, 0.1)
    assert certify(nothing, least * 1.001, 0.1).index == 0
    assert certify(nothing, least * 0.999, 0.1).index is None


def test_testing_stops_at_the_first_threshold_that_fails() -> None:
    good, bad = np.zeros(100), np.full(100, 0.5)
    assert certify(np.stack([good, good, bad, good]), 0.1, 0.1).index == 1
    assert certify(np.stack([good, good]), 0.1, 0.1).index == 1
    assert certify(np.stack([bad, good]), 0.1, 0.1).index is None


def test_one_site_that_loses_everything_spoils_a_threshold_of_few_sites() -> None:
    spoilt = np.zeros((1, 40))
    spoilt[0, 7] = 1.0
    assert p_values(np.zeros((1, 40)), 0.1)[0] < 0.05
    assert p_values(spoilt, 0.1)[0] > 0.1


@pytest.mark.parametrize(("value", "epsilon"), [(1.5, 0.1), (-0.1, 0.1), (0.1, 0.0), (0.1, 1.0)])
def test_p_values_refuse_losses_and_epsilons_outside_their_range(value: float, epsilon: float) -> None:
    with pytest.raises(ValueError, match=r"within 0\.\.1"):
        p_values(np.full((1, 5), value), epsilon)
