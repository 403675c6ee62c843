"""The calibrated gate, whose thresholds are tested from the strictest down with exact binomial bounds."""

import pytest
import torch
from scipy.stats import binom

from training.product.choose import Gate, calibrated_gate


def gate(lost_from: int, tiles: int = 500) -> Gate:
    """Calibrate on tiles of falling confidence, whose labels are lost from `lost_from` on."""
    confidence = torch.linspace(1.0, 0.5, tiles)
    return calibrated_gate(confidence, torch.arange(tiles) >= lost_from, epsilon=0.02, delta=0.1)


def test_gate_closes_on_every_tile_if_nothing_is_lost() -> None:
    found = gate(500)
    assert found.confidence == pytest.approx(0.5)
    assert found.closed == 1.0


def test_gate_stops_at_the_last_threshold_that_is_certified() -> None:
    found = gate(100)
    allowed = max(n for n in range(20) if binom.cdf(n, 500, 0.02) <= 0.1)  # losses that still certify 2 %
    assert round(found.closed * 500) == 100 + allowed
    assert allowed < 0.02 * 500  # stricter than the plain share, because of the guarantee


def test_gate_of_few_tiles_certifies_nothing() -> None:
    found = gate(40, tiles=40)
    assert found.confidence > 1
    assert found.closed == 0.0


def test_gate_ends_at_an_early_loss_even_if_later_tiles_are_safe() -> None:
    confidence = torch.linspace(1.0, 0.5, 500)
    lost = torch.zeros(500).bool()
    lost[:20] = True
    assert calibrated_gate(confidence, lost).closed < 20 / 500


@pytest.mark.parametrize("delta", [0.05, 0.2])
def test_gate_keeps_its_guarantee_on_new_tiles(delta: float) -> None:
    """In 300 draws, the share of gates that lose more than epsilon stays below delta."""
    generator = torch.Generator().manual_seed(0)
    broken = 0
    for _ in range(300):
        confidence = torch.rand(400, generator=generator)
        lost = torch.rand(400, generator=generator) < 0.3 * (1 - confidence)
        found = calibrated_gate(confidence, lost, epsilon=0.02, delta=delta)
        t = min(found.confidence, 1.0)
        broken += 0.15 * (1 - t) ** 2 > 0.02  # the integral of 0.3 (1 - c) over c in t..1
    assert broken / 300 <= delta + 0.03
