"""The data splits of a run: images to learn from, to choose on and to test on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from training.data.held_out import split_groups
from training.data.images import ImageSource, centred
from training.data.layouts import open_splits
from training.run.batches import Crop, TrainingImages
from training.run.folder import Run, claimed
from training.run.provenance import git_revision
from training.run.recipe import Augmentation, Recipe


@dataclass(frozen=True, kw_only=True)
class Splits:
    """One data set, divided into what is learnt, what is chosen on and what is measured on."""

    images: ImageSource
    """Training split, whole tiles."""
    learnt: Tensor
    """int64 (M,): indices of `images` that the stages train on."""
    validation: Tensor
    """int64 (V,): indices of `images` held out for every choice that no gradient makes."""
    test: ImageSource
    """Images that are measured on and never chosen on."""
    augmentation: Augmentation
    crop: Crop | None = None

    @property
    def to_learn(self) -> TrainingImages:
        """The learnt images, with the recipe's augmentation."""
        return TrainingImages(
            images=self.images, indices=self.learnt, augmentation=self.augmentation, crop=self.crop
        )


@contextmanager
def open_run(recipe: Recipe, data: Path, run: Run) -> Iterator[Splits]:
    """Claim the run's folder and read a recipe's data set; a tar stays unpacked until the end.

    DataError names what is wrong with the data. ValueError if another process is writing to `run.out`, or
    if it holds another run, or an earlier one that is not to be resumed.
    """
    # Asked before anything else: a commit made while the run trains is not the code that ran.
    git_revision()
    size, lr_size = recipe.hr_size, recipe.lr_size
    read_at = recipe.crop_from or size
    with (
        claimed(run, recipe),
        open_splits(recipe.data, data, read_at, lr_size, mean=recipe.mean, std=recipe.std) as (train, test),
    ):
        # Split on the images as read, so that cropping does not change who is held out.
        learnt, validation = split_groups(train, recipe.validation_per_class, run.seed)
        images = centred(train, read_at, size, lr_size).to(run.device)
        crop = None
        if recipe.crop_from or recipe.pad:
            # Without a margin, crops come from the tile itself plus its reflected border.
            source = train.to(run.device) if recipe.crop_from else images
            crop = Crop(source=source, pad=recipe.pad, hr_size=size, lr_size=lr_size)
        yield Splits(
            images=images,
            learnt=learnt,
            validation=validation,
            # The test split is never cropped at random: it is read as a scene would be.
            test=centred(test, read_at, size, lr_size).to(run.device),
            augmentation=recipe.augmentation,
            crop=crop,
        )
