import pytest
import torch

from models.preprocess import mask_image
from models.symmetry import SYMMETRIES, dihedral, dihedral_patches, inverse


@pytest.mark.parametrize("k", range(8))
def test_inverse_undoes_every_symmetry(k: int) -> None:
    image = torch.arange(16.0).view(1, 1, 4, 4)
    assert torch.equal(dihedral(dihedral(image, k), inverse(k)), image)


@pytest.mark.parametrize("k", range(SYMMETRIES))
def test_dihedral_patches_moves_values_with_their_pixels(k: int) -> None:
    selected = torch.rand(3, 16, generator=torch.Generator().manual_seed(k)) < 0.4
    moved = dihedral_patches(selected.float(), k)
    assert torch.equal(mask_image(moved, 8), dihedral(mask_image(selected, 8), k))


def test_symmetries_are_eight_and_distinct() -> None:
    values = torch.arange(16.0)
    assert len({tuple(dihedral_patches(values, k).tolist()) for k in range(SYMMETRIES)}) == SYMMETRIES
