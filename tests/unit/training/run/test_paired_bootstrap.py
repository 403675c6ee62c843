import pytest
import torch

from training.run.evaluate import paired_bootstrap


def test_paired_bootstrap_of_a_gain_on_every_image_is_certain() -> None:
    gain = paired_bootstrap(torch.ones(30), torch.zeros(30))
    assert gain == {"mean": 1.0, "low": 1.0, "high": 1.0, "share_without_gain": 0.0}


def test_paired_bootstrap_of_no_gain_includes_zero() -> None:
    first = torch.tensor([1.0, 0.0] * 50)
    gain = paired_bootstrap(first, 1 - first)
    assert gain["mean"] == 0.0
    assert gain["low"] < 0 < gain["high"]
    assert gain["share_without_gain"] == pytest.approx(0.5, abs=0.1)
