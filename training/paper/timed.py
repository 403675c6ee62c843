"""The rows of Table 3: BagNet without and with PatchDrop, each with its run time."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from training.methods.bagnet import milliseconds_per_image
from training.methods.out_of_fold import Classifier
from training.methods.patchdrop import served
from training.paper.measure_rows import (
    Rows,
    baseline_size,
    chooser_row,
    plain_row,
    policy_row,
    sharp_predictor,
)
from training.paper.networks import Networks
from training.paper.rows import MeasuredRow
from training.run.evaluate import TilePredictor

SPEED_IMAGES = 64
"""Test images whose run time is measured, as one batch."""


def timed_hr_cnn(networks: Networks) -> Rows:
    """Measure HR-CNN."""
    # A convolution runs over the whole tile, whatever is bought: this is the time that BagNet saves from.
    predictor = sharp_predictor(networks.hr)
    row = plain_row(networks, "hr_cnn", predictor, bought=True)
    yield _timed(networks, row, predictor)


def bagnet(networks: Networks) -> Rows:
    """Measure BagNet on every patch."""
    row = plain_row(networks, "bagnet", networks.bagnet, bought=True)
    yield _timed(networks, row, networks.bagnet)


def bagnet_patchdrop(networks: Networks) -> Rows:
    """Measure PatchDrop on BagNet."""
    for stage, trained in networks.bagnet_patchdrop.items():
        predictor = served(stage, trained.classifier)
        row = policy_row(networks, "bagnet_patchdrop", stage, trained.policy, predictor)
        # Service runs the policy first, so its time belongs to the method.
        yield _timed(networks, row, _after(trained.policy, predictor))


def bagnet_chooser(name: str) -> Callable[[Networks], Rows]:
    """Return the measurement of one of CHOOSERS with BagNet instead of HR-CNN."""

    def rows(networks: Networks) -> Rows:
        classifier: Classifier = networks.bagnet
        for stage, trained in networks.bagnet_patchdrop.items():
            size = baseline_size(networks.splits, trained.policy)
            if stage != "pt":  # in Pt the classifier is not trained
                classifier = networks.tuned(name, size, stage, classifier, "bagnet_")
            predictor = served(stage, classifier)
            row = chooser_row(networks, f"bagnet_{name}", name, stage, size, predictor)
            yield _timed(networks, row, _after(networks.chooser(name, size), predictor))

    return rows


def _after(choose: Callable[[Tensor], Tensor], predictor: TilePredictor) -> TilePredictor:
    """Return a predictor that runs the choice of patches first, so that its time counts."""

    def both(hr: Tensor, lr: Tensor, selected: Tensor) -> Tensor:
        choose(lr)  # the result is dropped: `selected` is the choice that the row measured
        return predictor(hr, lr, selected)

    return both


def _timed(networks: Networks, row: MeasuredRow, predictor: TilePredictor) -> MeasuredRow:
    test, device = networks.splits.test, networks.run.device
    # The row's own choices: run time depends on how many patches are bought.
    times = milliseconds_per_image(predictor, test, row.selected[:SPEED_IMAGES], device)
    return replace(row, facts=row.facts | {"milliseconds": times})
