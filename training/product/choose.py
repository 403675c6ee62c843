"""Choices that no gradient makes: exponents, thresholds, the gate, and the score that compares policies.

All are made on validation or out-of-fold data, never on the test split.
"""

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
"""Candidates for the fusion exponent; 1 is eq. 7."""
UNCERTAINTY_EXPONENTS = (0.0, 0.5, 1.0, 2.0)
"""Candidates for the exponent of label uncertainty; 0 ignores it."""
COMPARED_PATCHES = (2.0, 3.0, 4.0, 5.0, 6.0)
"""Mean numbers of patches at which candidate policies are compared."""
OPERATING_THRESHOLD = 0.5
"""Utility from which a patch is bought, as in the paper."""
SPREAD = 1.5
"""Standard deviation of the served logits, which spreads utilities over [0, 1] without saturating."""


def fusion_exponent(table: AnswerTable) -> float:
    """Return the fusion exponent with the best accuracy on choices of 1 to 8 patches.

    The table's classifiers must not have trained on its images: there the HR stream would always be right.
    """
    sizes = table.masks.sum(2)  # (M, K, 16) -> (M, K)
    # At 0 and 16 patches no exponent changes the mixture.
    counted = (sizes >= 1) & (sizes <= 8)
    truth = table.labels.unsqueeze(1)  # (M,) -> (M, 1), one label for all K choices of an image

    def accuracy(exponent: float) -> float:
        return float((table.mixed(exponent).argmax(2) == truth)[counted].float().mean())

    return max(EXPONENTS, key=accuracy)


def buying_threshold(values: Tensor, patches: float) -> float:
    """Return the threshold at which values (M, 16) buy `patches` per tile on average."""
    # Flattened to (16 M,): a tile may buy more than its share when another buys less.
    ordered = values.double().flatten().sort(descending=True).values
    place = min(max(round(patches * len(values)), 1), len(ordered) - 1)
    # Halfway between the last bought and the first refused value: rounding cannot move either across.
    return float((ordered[place - 1] + ordered[place]) / 2)


def place_operating_point(
    policy: PolicyNetwork,
    images: ImageSource,
    indices: Tensor,
    patches: float,
    coarse: Coarse | None = None,
) -> None:
    """Shift and scale the logits so that utility 0.5 buys `patches` on average. Choices stay nested."""
    logits = policy_logits(policy, images, indices, coarse)
    threshold = buying_threshold(logits, patches)
    gain = SPREAD / max(float(logits.std()), 1e-6)
    # logits = (scores - shift) * scale, so a step of the logits is a step of shift divided by scale.
    policy.shift += threshold / policy.scale
    policy.scale *= gain


def curve_thresholds(
    policy: PolicyNetwork, images: ImageSource, indices: Tensor, coarse: Coarse | None = None
) -> list[float]:
    """Return ascending thresholds on the utilities: 0 buys all, 1.01 nothing, between them CURVE_PATCHES.

    The operating point is one of them, so the curve contains the served point itself.
    """
    values = utilities(policy_logits(policy, images, indices, coarse))
    # Rounded for the manifest; the curve is measured at the rounded values.
    between = {round(buying_threshold(values, patches), 6) for patches in CURVE_PATCHES}
    return sorted({0.0, OPERATING_THRESHOLD, 1.01} | between)


@dataclass(frozen=True, kw_only=True, order=True)
class Score:
    """A candidate's means over COMPARED_PATCHES; candidates order by accuracy, then by confidence."""

    accuracy: float
    confidence: float
    """Mean probability of the true label, which breaks ties of the accuracy."""


def score(
    policy: PolicyNetwork,
    predictor: TilePredictor,
    images: ImageSource,
    indices: Tensor,
    coarse: Coarse | None = None,
) -> Score:
    """Score a candidate at fixed mean numbers of patches, so that none wins by buying more."""
    logits = policy_logits(policy, images, indices, coarse)
    return score_logits(logits, predictor, images, indices, policy.shift.device)


def weigh_uncertainty(
    policy: PolicyNetwork, classifier: TwoStreamClassifier, images: ImageSource, indices: Tensor
) -> dict[float, Score]:
    """Score every exponent of label uncertainty, and give the policy the best one."""
    scores = {}
    for exponent in UNCERTAINTY_EXPONENTS:
        policy.config = replace(policy.config, uncertainty_exponent=exponent)
        scores[exponent] = score(policy, classifier, images, indices, classifier.coarse)
    # The first of equals: the smallest exponent, hence the simplest policy.
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

    With `prices` (M, 16) of mean 1, candidates are compared at equal mean cost instead of equal S.
    """
    labels = images.labels[indices].cpu()  # (M,)
    accuracies, confidences = [], []
    for patches in COMPARED_PATCHES:
        bought = logits >= _threshold(logits, patches, prices)
        probabilities = predict(predictor, images, indices, bought, device)
        # probabilities (M, N); in double, so that a mean over images does not depend on their order.
        accuracies.append(float((probabilities.argmax(1) == labels).double().mean()))
        confidences.append(float(probabilities.gather(1, labels.unsqueeze(1)).double().mean()))
    count = len(COMPARED_PATCHES)
    return Score(accuracy=sum(accuracies) / count, confidence=sum(confidences) / count)


def _threshold(logits: Tensor, patches: float, prices: Tensor | None) -> float:
    if prices is None:
        return buying_threshold(logits, patches)
    # Buy in order of preference until the budget of `patches` mean prices per tile is spent.
    order = logits.flatten().argsort(descending=True)
    spent = prices.flatten()[order].cumsum(0) / len(logits)
    return float(logits.flatten()[order][int((spent <= patches).sum()) - 1])


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A gate that buys nothing for a tile whose LR confidence is at least `confidence`.

    With probability 1 - delta over the calibration tiles, at most a share epsilon of all tiles then
    loses a label that buying would make correct.
    """

    confidence: float
    """Threshold of the LR confidence; above 1 if none could be certified, and the gate never closes."""
    epsilon: float
    delta: float
    tiles: int
    """Number of calibration tiles."""
    closed: float
    """Share of the calibration tiles for which nothing is bought."""


def calibrated_gate(confidence: Tensor, lost: Tensor, epsilon: float = 0.02, delta: float = 0.1) -> Gate:
    """Certify a gate by Learn then Test (Angelopoulos et al. 2021) with exact binomial p-values.

    `confidence` (M,) is the LR stream's; `lost` bool (M,) is true where its label is wrong and the label
    after buying everything is correct. Both come from tiles that trained neither. Thresholds are tested in
    a fixed sequence from the strictest down; the first one that cannot be certified ends it.
    """
    order = confidence.argsort(descending=True)
    levels, losses = confidence[order], lost[order].cumsum(0)
    # A threshold closes all tiles of equal confidence, so each level counts once, with its last tile.
    last = torch.ones(len(levels)).bool()
    last[:-1] = levels[1:] != levels[:-1]
    # p-value of "this threshold loses more than epsilon": a fixed sequence needs no correction.
    p_values = torch.from_numpy(binom.cdf(losses[last].numpy(), len(lost), epsilon))
    certified = levels[last][(p_values <= delta).cumprod(0).bool()]
    threshold = float(certified[-1]) if len(certified) else 1.01
    closed = float((confidence >= threshold).float().mean())
    return Gate(confidence=threshold, epsilon=epsilon, delta=delta, tiles=len(lost), closed=closed)
