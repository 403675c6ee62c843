"""Counts of bought patches from a reading and an expected count, and the fit of that fusion."""

import math

import pytest
import torch

from models.counts import Counts
from models.fusion import Fusion
from training.objects.fusion import fit_fusion


def test_fusion_is_log_linear_in_reading_and_expected_count() -> None:
    fusion = Fusion(mean=(0.1, 0.8, 0.3), dispersion=(-1.0, 0.2, -0.5))
    known = fusion.fuse(torch.tensor([3.95]), torch.tensor([2.0]))
    mean = math.exp(0.1 + 0.8 * math.log(4.0) + 0.3 * math.log(2 / 3))
    dispersion = math.exp(-1 + 0.2 * math.log(4.0) - 0.5 * math.log(2 / 3))
    assert float(known.mean[0]) == pytest.approx(mean, rel=1e-6)
    assert float(known.variance[0]) == pytest.approx(mean + dispersion * mean**2, rel=1e-6)


def test_extreme_readings_stay_finite_and_keep_the_shape() -> None:
    fusion = Fusion(mean=(0.0, 1.0, 0.5), dispersion=(3.0, -2.0, -2.0))
    known = fusion.fuse(torch.tensor([[-1.0, 0.0], [1e9, 5.0]]), torch.tensor([[0.0, 1e9], [1e9, 0.0]]))
    assert known.mean.shape == (2, 2)
    assert known.mean.isfinite().all()
    assert (known.variance > known.mean).all()


def drawn() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw patches of which two in three are empty; the counter invents objects where LR expects none."""
    torch.manual_seed(0)
    full = torch.rand(4000) < 1 / 3
    counts = full * (1 + torch.poisson(torch.full((4000,), 3.0)))
    expected = torch.where(full, 2.0, 0.02) * torch.exp(0.3 * torch.randn(4000))
    invented = (torch.rand(4000) < 0.2) * 1.5
    return counts + ~full * invented, expected, counts


def test_fit_finds_that_lr_knows_which_ground_is_empty() -> None:
    reading, expected, counts = drawn()
    fusion = fit_fusion(reading, expected, counts)
    doubtful, sure = fusion.fuse(torch.tensor([1.5, 1.5]), torch.tensor([0.02, 2.0])).mean.tolist()
    assert doubtful < 0.8 * sure


def test_fused_means_add_up_to_the_counts() -> None:
    reading, expected, counts = drawn()
    total = float(fit_fusion(reading, expected, counts).fuse(reading, expected).mean.sum())
    assert total == pytest.approx(float(counts.sum()), rel=0.01)
    # The readings alone hold invented objects.
    assert float(reading.sum()) > 1.1 * float(counts.sum())


def test_fused_counts_are_likelier_than_the_reading_alone() -> None:
    reading, expected, counts = drawn()

    def surprise(fusion: Fusion) -> float:
        known = fusion.fuse(reading, expected)
        return float(Counts.of_moments(known.mean, known.variance).negative_log_likelihood(counts).mean())

    assert surprise(fit_fusion(reading, expected, counts)) < 0.8 * surprise(
        Fusion(mean=(0.0, 1.0, 0.0), dispersion=(0.0, 0.0, 0.0))
    )
