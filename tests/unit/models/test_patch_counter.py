import pytest
import torch

from models.patch_counter import CELL, CellMaps, PatchCounter, PatchCounterConfig


def counter(patch_px: int = 32) -> PatchCounter:
    torch.manual_seed(0)
    return PatchCounter(PatchCounterConfig(backbone="efficientnet_lite0", patch_px=patch_px)).eval()


@torch.inference_mode()
@pytest.mark.parametrize("patch_px", [8, 20, 32])
def test_patch_counter_reads_each_cell_of_a_patch(patch_px: int) -> None:
    network = counter(patch_px)
    hr = torch.randn(3, 3, patch_px, patch_px)
    cells = network.cells(hr)
    assert cells.density.shape == cells.inside.shape == (3, patch_px // CELL, patch_px // CELL)
    reading = network(hr)
    assert reading.shape == (3,)
    assert (reading > 0).all()


def test_patch_counter_counts_the_density_in_and_beside_objects() -> None:
    network = counter()
    network.gate.fill_(0.4)
    density = torch.full((2, 8, 8), 1e-4)
    density[:, 2, 2] = 0.5
    density[:, 2, 3] = 0.4  # the same object, beyond its border
    inside = torch.full((2, 8, 8), 0.01)
    inside[0, 2, 2] = 0.41
    inside[1, 2, 2] = 0.39  # below the gate
    reading = network.count(CellMaps(density=density, inside=inside.logit()))
    # Of the faint cells, only those beside the object count.
    assert reading.tolist() == pytest.approx([0.9 + 7e-4, 0], abs=1e-6)


def test_cell_maps_are_joined_in_their_order() -> None:
    one, two = (CellMaps(density=torch.full((n, 2, 2), n), inside=torch.full((n, 2, 2), -n)) for n in (1, 2))
    joined = CellMaps.joined([one, two])
    assert joined.density[:, 0, 0].tolist() == [1, 2, 2]
    assert joined.inside[:, 0, 0].tolist() == [-1, -2, -2]


@pytest.mark.parametrize("side", [28, 40, 48])
def test_patch_counter_refuses_a_patch_of_another_size(side: int) -> None:
    with pytest.raises(ValueError, match="is not 32 x 32 px"):
        counter()(torch.zeros(1, 3, side, side))


def test_patch_counter_refuses_a_size_that_is_not_a_multiple_of_a_cell() -> None:
    with pytest.raises(ValueError, match="not a positive multiple of 4"):
        PatchCounter(PatchCounterConfig(backbone="efficientnet_lite0", patch_px=30))
