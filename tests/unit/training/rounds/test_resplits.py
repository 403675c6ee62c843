"""Guarantees on sites whose losses are known, calibrated again and again."""

import numpy as np

from training.rounds.resplits import resplit

RANDOM = np.random.default_rng(0)


def losses(mean: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Draw the share of 16 tiles that is lost at each of 80 sites."""
    return RANDOM.binomial(16, mean, 80) / 16


def test_resplits_hold_and_cost_what_their_thresholds_cost() -> None:
    # Three thresholds: everything, nearly everything, and half of the patches with a large loss.
    lost = np.stack([np.zeros(80), losses(0.005), losses(0.4)])
    patches = np.stack([np.full(80, 16.0), np.full(80, 9.0), np.full(80, 4.0)])
    found = resplit(lost, patches, epsilon=0.1, delta=0.1, calibration=60, repeats=50)
    assert found.held == 1
    assert found.certified == 1
    assert found.patches == 9
    assert found.risk < 0.05
    nothing = resplit(lost, patches, epsilon=0.02, delta=0.1, calibration=60, repeats=5)
    assert (nothing.certified, nothing.patches, nothing.risk, nothing.held) == (0, 16, 0, 1)
