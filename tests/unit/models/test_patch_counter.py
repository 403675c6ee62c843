import pytest
import torch

from models.patch_counter import MARGIN, PatchCounter, PatchCounterConfig


def counter() -> PatchCounter:
    torch.manual_seed(0)
    return PatchCounter(PatchCounterConfig(backbone="efficientnet_lite0", patch_px=32)).eval()


@torch.inference_mode()
def test_patch_counter_sums_the_density_of_the_patch_without_its_margin() -> None:
    network = counter()
    hr = torch.randn(3, 3, 32 + 2 * MARGIN, 32 + 2 * MARGIN)
    density, _ = network.densities(hr)
    assert density.shape == (3, 4, 4)
    reading = network(hr)
    assert torch.allclose(reading.mean, density.sum((1, 2)))
    assert (reading.variance > 0).all()


@pytest.mark.parametrize("side", [32, 40, 56])
def test_patch_counter_refuses_a_patch_of_another_size(side: int) -> None:
    with pytest.raises(ValueError, match="is not 48 x 48 px with its margin"):
        counter()(torch.zeros(1, 3, side, side))


def test_patch_counter_refuses_a_size_that_is_not_a_multiple_of_a_cell() -> None:
    with pytest.raises(ValueError, match="not a positive multiple of 8"):
        PatchCounter(PatchCounterConfig(backbone="efficientnet_lite0", patch_px=30))
