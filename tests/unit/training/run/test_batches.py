"""Batches: every image once, crops and symmetries that HR and LR share."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.preprocess import downsample
from tests.support.training import CPU, tiny_images
from training.run.batches import (
    Crop,
    TrainingImages,
    random_crop,
    shuffled,
    steps_per_epoch,
    training_batches,
)
from training.run.recipe import Augmentation


@given(images=st.integers(1, 70), size=st.integers(1, 32))
def test_shuffled_holds_every_image_once_in_batches_of_the_size_asked_for(images: int, size: int) -> None:
    made = shuffled(torch.arange(images) + 5, size, torch.Generator().manual_seed(0))
    assert sorted(torch.cat(made).tolist()) == list(range(5, 5 + images))
    assert len(made) == steps_per_epoch(images, size)
    assert min(len(batch) for batch in made) >= min(size, images)


def test_random_crop_is_a_window_of_its_own_image() -> None:
    images = torch.arange(2 * 3 * 6 * 6, dtype=torch.float32).view(2, 3, 6, 6)
    torch.manual_seed(0)
    for _ in range(20):
        crops = random_crop(images, 4, 0)
        for image, crop in zip(images, crops, strict=True):
            windows = [image[:, r : r + 4, c : c + 4] for r in range(3) for c in range(3)]
            assert any(torch.equal(crop, window) for window in windows)


def test_random_crops_differ_and_reach_into_the_reflected_border() -> None:
    image = torch.arange(16.0).view(1, 1, 4, 4).repeat(64, 3, 1, 1)
    torch.manual_seed(0)
    crops = random_crop(image, 4, 2)
    assert crops.shape == (64, 3, 4, 4)
    assert len({tuple(crop.flatten().tolist()) for crop in crops[:, 0]}) > 10
    assert set(crops.flatten().tolist()) <= set(range(16))


@pytest.mark.parametrize("augmentation", ["none", "crop-flip", "dihedral"])
def test_training_batches_show_the_same_in_lr_as_in_hr(augmentation: Augmentation) -> None:
    images = tiny_images()
    crop = Crop(source=images, pad=2, hr_size=16, lr_size=4) if augmentation == "crop-flip" else None
    data = TrainingImages(images=images, indices=torch.arange(24), augmentation=augmentation, crop=crop)
    torch.manual_seed(3)
    for batch in training_batches(data, [torch.arange(8), torch.arange(8, 24)], CPU, 0.5, 1.0):
        assert torch.allclose(batch.lr, downsample(batch.hr, 4), atol=0.5 / 128 + 1e-6)  # LR was rounded
        assert torch.equal(batch.labels, images.labels[batch.chosen])
        assert 0.5 <= batch.progress < 1.0


def test_training_batches_without_augmentation_are_only_normalised() -> None:
    images = tiny_images()
    data = TrainingImages(images=images, indices=torch.arange(24))
    (batch,) = training_batches(data, [torch.tensor([5, 2])], CPU, 0.0, 1.0)
    assert torch.allclose(batch.hr, (images.hr[[5, 2]].float() - 127) / 128)
    assert batch.symmetry == 0


def test_training_batches_read_crops_from_the_source_with_the_margin() -> None:
    images = tiny_images(hr_size=16)
    larger = replace(images, hr=torch.full((24, 3, 20, 20), 7, dtype=torch.uint8))
    crop = Crop(source=larger, pad=0, hr_size=16, lr_size=4)
    data = TrainingImages(images=images, indices=torch.arange(24), crop=crop)
    (batch,) = training_batches(data, [torch.arange(4)], CPU, 0.0, 1.0)
    assert batch.hr.shape == (4, 3, 16, 16)
    assert set(batch.hr.flatten().tolist()) == {(7 - 127) / 128}
