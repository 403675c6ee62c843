"""Choices that no gradient makes, all on validation or out-of-fold data, never on the test split."""

from dataclasses import dataclass, replace

import torch
from scipy.stats import binom
from torch import Tensor

from models.policy import PolicyNetwork, utilities
from models.two_stream import TwoStreamClassifier
from training.data.images import ImageSource
from training.methods.out_of_fold import AnswerTable
from training.product.measure import CURVE_PATCHES
from training.run.evaluate import Coarse, TilePredictor, policy_logits, predict

EXPONENTS = (0.15, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4)
UNCERTAINTY_EXPONENTS = (0.0, 0.5, 1.0, 2.0)
COMPARED_PATCHES = (2.0, 3.0, 4.0, 5.0, 6.0)
OPERATING_THRESHOLD = 0.5
SPREAD = 1.5
"""Standard deviation of the served logits: spreads utilities over [0, 1] without saturating."""


def fusion_exponent(table: AnswerTable) -> float:
    """Exponent of the fusion weight with the best accuracy on choices of 1 to 8 patches.

    The table's classifiers must not have trained on its images: there the HR stream would always be right.
    """
    sizes = table.masks.sum(2)
    counted = (sizes >= 1) & (sizes <= 8)
    truth = table.labels.unsqueeze(1)

    def accuracy(exponent: float) -> float:
        return float((table.mixed(exponent).argmax(2) == truth)[counted].float().mean())

    return max(EXPONENTS, key=accuracy)


def threshold_for(values: Tensor, patches: float) -> float:
    """The threshold at which values (M, 16) buy `patches` a tile on average."""
    ordered = values.double().flatten().sort(descending=True).values
    place = min(max(round(patches * len(values)), 1), len(ordered) - 1)
    return float((ordered[place - 1] + ordered[place]) / 2)


def place_operating_point(
    policy: PolicyNetwork,
    images: ImageSource,
    indices: Tensor,
    patches: float,
    coarse: Coarse | None = None,
) -> None:
    """Shift and scale the logits so that utility 0.5 buys `patches` on average. Nested sets are unchanged."""
    logits = policy_logits(policy, images, indices, coarse)
    threshold = threshold_for(logits, patches)
    gain = SPREAD / max(float(logits.std()), 1e-6)
    policy.shift += threshold / policy.scale
    policy.scale *= gain


def curve_thresholds(
    policy: PolicyNetwork, images: ImageSource, indices: Tensor, coarse: Coarse | None = None
) -> list[float]:
    """Thresholds on the utilities, ascending: 0 buys all, 1.01 nothing, between them CURVE_PATCHES.

    The operating point is one of them, so that what is served is on the curve, not near it.
    """
    values = utilities(policy_logits(policy, images, indices, coarse))
    between = {round(threshold_for(values, patches), 6) for patches in CURVE_PATCHES}
    return sorted({0.0, OPERATING_THRESHOLD, 1.01} | between)


@dataclass(frozen=True, kw_only=True, order=True)
class Score:
    """A candidate on validation, averaged over COMPARED_PATCHES: accuracy first, then p(true label)."""

    accuracy: float
    confidence: float


def score(
    policy: PolicyNetwork,
    predictor: TilePredictor,
    images: ImageSource,
    indices: Tensor,
    coarse: Coarse | None = None,
) -> Score:
    """Compare candidates at equal mean numbers of patches, so that none wins by buying more."""
    logits = policy_logits(policy, images, indices, coarse)
    return score_logits(logits, predictor, images, indices, policy.shift.device)


def weigh_uncertainty(
    policy: PolicyNetwork, classifier: TwoStreamClassifier, images: ImageSource, indices: Tensor
) -> dict[float, Score]:
    """Score every exponent of the LR stream's uncertainty, and set the policy's to the best one."""
    scores = {}
    for exponent in UNCERTAINTY_EXPONENTS:
        policy.config = replace(policy.config, uncertainty_exponent=exponent)
        scores[exponent] = score(policy, classifier, images, indices, classifier.coarse)
    best = max(scores, key=lambda exponent: scores[exponent])
    policy.config = replace(policy.config, uncertainty_exponent=best)
    return scores


def score_logits(
    logits: Tensor,
    predictor: TilePredictor,
    images: ImageSource,
    indices: Tensor,
    device: torch.device,
    prices: Tensor | None = None,
) -> Score:
    """Score any preference (M, 16) over the patches of images[indices], higher bought first.

    With `prices` (M, 16) of mean 1 the candidates are compared at equal mean money instead.
    """
    labels = images.labels[indices].cpu()
    accuracies, confidences = [], []
    for patches in COMPARED_PATCHES:
        bought = logits >= _threshold(logits, patches, prices)
        probabilities = predict(predictor, images, indices, bought, device)
        accuracies.append(float((probabilities.argmax(1) == labels).double().mean()))
        confidences.append(float(probabilities.gather(1, labels.unsqueeze(1)).double().mean()))
    count = len(COMPARED_PATCHES)
    return Score(accuracy=sum(accuracies) / count, confidence=sum(confidences) / count)


def _threshold(logits: Tensor, patches: float, prices: Tensor | None) -> float:
    if prices is None:
        return threshold_for(logits, patches)
    order = logits.flatten().argsort(descending=True)
    spent = prices.flatten()[order].cumsum(0) / len(logits)
    return float(logits.flatten()[order][int((spent <= patches).sum()) - 1])


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Buy nothing for a tile whose LR confidence is at least `confidence`.

    With probability 1 - delta over the calibration tiles, at most a share epsilon of all tiles then
    loses a label that buying would get right.
    """

    confidence: float
    """Above 1 if no threshold could be certified: the gate never closes."""
    epsilon: float
    delta: float
    tiles: int
    closed: float
    """Share of the calibration tiles for which nothing is bought."""


def calibrated_gate(confidence: Tensor, lost: Tensor, epsilon: float = 0.02, delta: float = 0.1) -> Gate:
    """Learn then Test (Angelopoulos et al. 2021) with exact binomial p-values, in fixed sequence.

    `confidence` (M,) of the LR stream's label, `lost` bool (M,) where that label is wrong and the label
    after buying everything is right, both on tiles that trained neither. Thresholds are tested from the
    strictest down; the first one that cannot be certified ends the sequence.
    """
    certified = 1.01
    for threshold in sorted(set(confidence.tolist()), reverse=True):
        losses = int((lost & (confidence >= threshold)).sum())
        if float(binom.cdf(losses, len(lost), epsilon)) > delta:
            break
        certified = threshold
    closed = float((confidence >= certified).float().mean())
    return Gate(confidence=certified, epsilon=epsilon, delta=delta, tiles=len(lost), closed=closed)
