"""The rows of Table 4: HR-CNN on full images, trained with patches hidden from it or without."""

from training.paper.measure_rows import Rows, plain_row, sharp_predictor
from training.paper.networks import Networks


def augment_none(networks: Networks) -> Rows:
    """HR-CNN with the recipe's own augmentation only."""
    yield plain_row(networks, "augment_none", sharp_predictor(networks.hr), bought=True)


def augment_cutout(networks: Networks) -> Rows:
    """HR-CNN with CutOut."""
    yield plain_row(networks, "augment_cutout", sharp_predictor(networks.cutout), bought=True)


def augment_patchdrop(networks: Networks) -> Rows:
    """HR-CNN with conditional hard positives."""
    yield plain_row(networks, "augment_patchdrop", sharp_predictor(networks.hard_positives), bought=True)
