from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.preprocess import downsample
from tests.support.lab import tiny_images
from training.run.batches import random_crop, shuffled, steps_per_epoch, training_batches
from training.run.recipe import load_recipe

CPU = torch.device("cpu")


@given(images=st.integers(1, 70), size=st.integers(1, 32))
def test_batches_hold_every_image_once_and_none_is_smaller_than_asked(images, size):
    made = shuffled(torch.arange(images) + 5, size, torch.Generator().manual_seed(0))
    assert sorted(torch.cat(made).tolist()) == list(range(5, 5 + images))
    assert len(made) == steps_per_epoch(images, size)
    assert min(len(batch) for batch in made) >= min(size, images)


def test_a_crop_is_a_window_of_its_own_image():
    images = torch.arange(2 * 3 * 6 * 6, dtype=torch.float32).view(2, 3, 6, 6)
    torch.manual_seed(0)
    for _ in range(20):
        crops = random_crop(images, 4, 0)
        for image, crop in zip(images, crops, strict=True):
            windows = [image[:, r : r + 4, c : c + 4] for r in range(3) for c in range(3)]
            assert any(torch.equal(crop, window) for window in windows)


def test_crops_differ_and_reach_into_the_reflected_border():
    image = torch.arange(16.0).view(1, 1, 4, 4).repeat(64, 3, 1, 1)
    torch.manual_seed(0)
    crops = random_crop(image, 4, 2)
    assert crops.shape == (64, 3, 4, 4)
    assert len(torch.unique(crops[:, 0].flatten(1), dim=0)) > 10
    assert set(crops.flatten().tolist()) <= set(range(16))


@pytest.mark.parametrize("augmentation", ["none", "crop-flip", "dihedral"])
def test_lr_always_shows_what_hr_shows(augmentation):
    recipe = replace(
        load_recipe("smoke"), augmentation=augmentation, pad=2 if augmentation == "crop-flip" else 0
    )
    images = tiny_images()
    torch.manual_seed(3)
    for batch in training_batches(images, [torch.arange(8), torch.arange(8, 24)], recipe, CPU, 0.5, 1.0):
        assert torch.allclose(batch.lr, downsample(batch.hr, 4), atol=0.5 / 128 + 1e-6)  # LR was rounded
        assert torch.equal(batch.labels, images.labels[batch.chosen])
        assert 0.5 <= batch.progress < 1.0


def test_without_augmentation_pixels_are_only_normalised():
    recipe = replace(load_recipe("smoke"), augmentation="none")
    images = tiny_images()
    (batch,) = training_batches(images, [torch.tensor([5, 2])], recipe, CPU, 0.0, 1.0)
    assert torch.allclose(batch.hr, (images.hr[[5, 2]].float() - 127) / 128)
    assert batch.symmetry == 0
