"""Choices that no gradient makes, all on validation or out-of-fold data, never on the test split."""

from dataclasses import dataclass

from torch import Tensor

from models.policy import PolicyNetwork, utilities
from models.two_stream import TwoStreamClassifier
from training.crossfit import Table
from training.data import Images
from training.evaluate import CURVE_PATCHES, policy_logits, predict

EXPONENTS = (0.15, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4)
COMPARED_PATCHES = (2.0, 3.0, 4.0, 5.0, 6.0)
OPERATING_THRESHOLD = 0.5
SPREAD = 1.5
"""Standard deviation of the served logits: spreads utilities over [0, 1] without saturating."""


def fusion_exponent(table: Table) -> float:
    """Exponent of the fusion weight with the best out-of-fold accuracy on choices of 1 to 8 patches."""
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


def place_operating_point(policy: PolicyNetwork, images: Images, indices: Tensor, patches: float) -> None:
    """Shift and scale the logits so that utility 0.5 buys `patches` on average. Nested sets are unchanged."""
    logits = policy_logits(policy, images, indices)
    threshold = threshold_for(logits, patches)
    gain = SPREAD / max(float(logits.std()), 1e-6)
    policy.shift += threshold / policy.scale
    policy.scale *= gain


def curve_thresholds(policy: PolicyNetwork, images: Images, indices: Tensor) -> list[float]:
    """Thresholds on the utilities, ascending: 0 buys all, 1.01 nothing, between them CURVE_PATCHES.

    The operating point is one of them, so that what is served is on the curve, not near it.
    """
    values = utilities(policy_logits(policy, images, indices))
    between = {round(threshold_for(values, patches), 6) for patches in CURVE_PATCHES}
    return sorted({0.0, OPERATING_THRESHOLD, 1.01} | between)


@dataclass(frozen=True, kw_only=True)
class Score:
    """A candidate on validation, averaged over COMPARED_PATCHES: accuracy first, then p(true label)."""

    accuracy: float
    confidence: float


def score(policy: PolicyNetwork, classifier: TwoStreamClassifier, images: Images, indices: Tensor) -> Score:
    """Compare candidates at equal mean numbers of patches, so that none wins by buying more."""
    logits = policy_logits(policy, images, indices)
    labels = images.labels[indices]
    accuracies, confidences = [], []
    for patches in COMPARED_PATCHES:
        probabilities = predict(classifier, images, indices, logits >= threshold_for(logits, patches))
        accuracies.append(float((probabilities.argmax(1) == labels).double().mean()))
        confidences.append(float(probabilities.gather(1, labels.unsqueeze(1)).double().mean()))
    count = len(COMPARED_PATCHES)
    return Score(accuracy=sum(accuracies) / count, confidence=sum(confidences) / count)
