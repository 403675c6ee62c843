import pytest
import torch

from models.grid import patch_slices
from models.preprocess import Fill, compose, downsample, normalise, upsample


def test_normalise_uses_the_mean_and_std_of_each_band() -> None:
    pixels = torch.tensor([10, 20, 30], dtype=torch.uint8).view(1, 3, 1, 1)
    result = normalise(pixels, mean=(10, 10, 10), std=(1, 2, 4))
    assert result.dtype == torch.float32
    assert result.flatten().tolist() == [0.0, 5.0, 5.0]


def test_downsample_averages_over_areas() -> None:
    image = torch.arange(16.0).view(1, 1, 4, 4)
    assert downsample(image, 2).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]


def test_downsample_averages_integers_as_floats() -> None:
    assert downsample(torch.tensor([[[[0, 1], [1, 1]]]], dtype=torch.uint8), 1).item() == 0.75


def test_downsample_by_an_uneven_ratio_keeps_a_flat_image_flat() -> None:
    assert torch.equal(downsample(torch.full((1, 3, 10, 10), 7.0), 4), torch.full((1, 3, 4, 4), 7.0))


def test_upsample_aligns_areas_not_corners() -> None:
    line = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2).expand(1, 1, 2, 2)
    assert upsample(line, 4)[0, 0, 0].tolist() == [0.0, 0.25, 0.75, 1.0]


@pytest.mark.parametrize(("fill", "elsewhere"), [("zero", 0.0), ("lr", 3.0)])
def test_compose_joins_bought_pixels_and_the_fill(fill: Fill, elsewhere: float) -> None:
    hr, lr = torch.full((1, 3, 8, 8), 9.0), torch.full((1, 3, 2, 2), 3.0)
    selected = torch.zeros(1, 16).bool()
    selected[0, 4] = True
    expected = torch.full((1, 3, 8, 8), elsewhere)
    rows, cols = patch_slices(4, 8)
    expected[..., rows, cols] = 9.0
    assert torch.equal(compose(hr, lr, selected, fill), expected)


def test_compose_leaks_no_pixel_that_was_not_bought() -> None:
    hr = torch.full((1, 3, 8, 8), float("nan"))
    result = compose(hr, torch.ones(1, 3, 2, 2), torch.zeros(1, 16), "lr")
    assert torch.equal(result, torch.ones(1, 3, 8, 8))
