"""What each part of the product is worth on validation: one part changed at a time.

Scores are means over S = 2 to 6 patches a tile (choose.score), at equal S or equal money. Parts that
need another training (a classifier, a policy) are trained here, under stages of their own.
"""

import copy
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor, nn

from models.policy import PolicyNetwork
from models.preprocess import Fill
from models.two_stream import TwoStreamClassifier
from training.methods.crossfit import ask, sole_judge
from training.methods.fixed import FIXED_H, in_fixed_order
from training.methods.patchdrop import new_policy, served, streams
from training.methods.train_classifier import filled_view, train_classifier
from training.methods.train_policy import train_policy
from training.paper.networks import Networks
from training.product import choose
from training.product.stages import Product, new_value_policy, train_jury
from training.product.train_values import train_values
from training.run.evaluate import Predictor, is_right, policy_logits, predict
from training.run.lab import Lab

PRICE_SPREAD = 0.75
"""Standard deviation of the logarithm of a patch's price in the comparison with prices."""

SHIPPED = "as shipped"


def measure_ablation(networks: Networks) -> dict[str, Any]:
    """Score (accuracy, confidence) by variant, and the calibrated gate; JSON-serialisable."""
    lab, product = networks.lab, networks.product
    shipped = _logits(networks, product.policy)
    scores = {SHIPPED: choose.score_logits(shipped, product.classifier, lab)}
    for name, policy in product.candidates.items():
        scores[f"policy: {name}"] = choose.score_logits(_logits(networks, policy), product.classifier, lab)
    for name, variant in CLASSIFIERS.items():
        scores[name] = choose.score_logits(shipped, variant(networks), lab)
    for name, preference in _preferences(networks).items():
        scores[name] = choose.score_logits(preference(networks), product.classifier, lab)
    gate, gated = _gate(networks)
    scores["calibrated gate in the place of doubt: buy nothing where LR is sure"] = gated
    return {
        "scores": {name: asdict(score) for name, score in scores.items()},
        "prices": {name: asdict(score) for name, score in _with_prices(lab, product, shipped).items()},
        "gate": asdict(gate),
        "images": len(lab.validation),
    }


def _exponent_one(networks: Networks) -> Predictor:
    plain = copy.copy(networks.product.classifier)
    plain.fusion_exponent = 1.0
    return plain


def _hr_alone(networks: Networks) -> Predictor:
    return served("ft1", networks.product.classifier)


def _zero_filled(networks: Networks) -> Predictor:
    """Mask-trained like the product's, but with zeros where nothing was bought."""
    lab = networks.lab
    network = copy.deepcopy(networks.hr).requires_grad_(True)
    train_classifier(lab, "filled_zero", network, filled_view("zero"), lab.learnt, lab.recipe.stage("filled"))
    return _with_hr(networks, network, "zero")


def _not_mask_trained(networks: Networks) -> Predictor:
    return _with_hr(networks, networks.hr, networks.lab.recipe.fill)


def _taught(networks: Networks) -> Predictor:
    """Mask-trained like the product's, but with HR-CNN on the whole tile as its teacher."""
    lab = networks.lab
    network = copy.deepcopy(networks.hr).requires_grad_(True)
    view, config = filled_view(lab.recipe.fill), lab.recipe.stage("filled")
    train_classifier(lab, "filled_taught", network, view, lab.learnt, config, teacher=networks.hr)
    return _with_hr(networks, network, lab.recipe.fill)


def _with_hr(networks: Networks, hr: nn.Module, fill: Fill) -> TwoStreamClassifier:
    """The product's classifier with another HR stream."""
    exponent = networks.product.classifier.fusion_exponent
    return streams(networks.lab, hr, networks.lr, fill=fill, exponent=exponent)


def _logits(networks: Networks, policy: PolicyNetwork) -> Tensor:
    coarse = networks.product.classifier.coarse
    return policy_logits(policy, networks.lab.images, networks.lab.validation, coarse)


def _shipped_but(networks: Networks, **changes: Any) -> Tensor:
    """Logits of the shipped policy with these settings instead."""
    policy = copy.deepcopy(networks.product.policy)
    policy.config = replace(policy.config, **changes)
    return _logits(networks, policy)


def _one_view(networks: Networks) -> Tensor:
    return _shipped_but(networks, views=1)


def _doubt_turned(networks: Networks) -> Tensor:
    """Without the LR stream's doubt; where validation left it out, with it."""
    weighed = networks.product.policy.config.uncertainty_exponent > 0
    return _shipped_but(networks, uncertainty_exponent=0.0 if weighed else 1.0)


def _cross_fitting_turned(networks: Networks) -> Tensor:
    """Value regression on the answers of the classifier that learnt the images, or of two that did not."""
    lab, classifier = networks.lab, networks.product.classifier
    if lab.recipe.folds == 1:
        name = "crossed"
        jury = train_jury(replace(lab, recipe=replace(lab.recipe, folds=2)), classifier.hr, classifier.lr)
    else:
        name, jury = "seen", sole_judge(classifier, lab.images)
    table = ask(lab, f"table_{name}", jury, lab.learnt)
    policy = new_value_policy(lab, f"values_{name}", classifier.lr)
    train_values(lab, f"values_{name}", policy, table, classifier.fusion_exponent, lab.recipe.stage("values"))
    return _beside_shipped(networks, policy)


def _reinforce(networks: Networks) -> Tensor:
    """The paper's Pt from scratch, rewarded by the product's jury."""
    lab = networks.lab
    policy = new_policy(lab, "reinforce")
    train_policy(lab, "reinforce", policy, networks.product.jury, lab.recipe.stage("pt"), hr_only=False)
    return _beside_shipped(networks, policy)


def _beside_shipped(networks: Networks, policy: PolicyNetwork) -> Tensor:
    """Logits of a policy that differs from the shipped one in its training alone."""
    shipped = networks.product.policy.config
    policy.config = replace(
        policy.config, views=shipped.views, uncertainty_exponent=shipped.uncertainty_exponent
    )
    return _logits(networks, policy)


def _fixed_h(networks: Networks) -> Tensor:
    ranks = -torch.arange(16.0).repeat(len(networks.lab.validation), 1)
    return in_fixed_order(ranks, FIXED_H)


def _fixed_h_in_tiles(networks: Networks) -> Tensor:
    return in_fixed_order(_logits(networks, networks.product.policy), FIXED_H)


CLASSIFIERS: dict[str, Callable[[Networks], Predictor]] = {
    "fusion weight of eq. 7 (exponent 1)": _exponent_one,
    "no LR stream": _hr_alone,
    "zero fill instead of LR fill": _zero_filled,
    "HR-CNN as it is, LR-filled but not mask-trained": _not_mask_trained,
    "HR-CNN as the HR stream's teacher": _taught,
}


def _preferences(networks: Networks) -> dict[str, Callable[[Networks], Tensor]]:
    doubted = networks.product.policy.config.uncertainty_exponent > 0
    crossed = networks.lab.recipe.folds > 1
    return {
        "one view instead of several symmetries": _one_view,
        f"{'without' if doubted else 'with'} the LR stream's doubt": _doubt_turned,
        f"value regression {'without' if crossed else 'with'} cross-fitting": _cross_fitting_turned,
        "the paper's REINFORCE, rewarded by the same jury": _reinforce,
        "as many patches of each tile, but in Fixed-H order": _fixed_h_in_tiles,
        "Fixed-H order, as many patches of every tile": _fixed_h,
    }


def _gate(networks: Networks) -> tuple[choose.Gate, choose.Score]:
    """Close on tiles whose LR label is sure; what they would have cost goes to the others."""
    lab, classifier = networks.lab, networks.product.classifier
    labels = lab.images.labels[lab.validation].cpu()
    count = len(lab.validation)
    nothing, everything = torch.zeros(count, 16).bool(), torch.ones(count, 16).bool()
    coarse, whole = (
        predict(classifier, lab.images, lab.validation, chosen, lab.run.device)
        for chosen in (nothing, everything)
    )
    lost = (is_right(coarse, labels) == 0) & (is_right(whole, labels) == 1)
    confidence = coarse.max(1).values
    gate = choose.calibrated_gate(confidence, lost)
    # At S = 6 a gate may leave too few tiles to spend on; the threshold then buys all of them.
    undoubted = _shipped_but(networks, uncertainty_exponent=0.0)
    closed = undoubted.masked_fill((confidence >= gate.confidence).unsqueeze(1), -1e30)
    return gate, choose.score_logits(closed, classifier, lab)


def _with_prices(lab: Lab, product: Product, logits: Tensor) -> dict[str, choose.Score]:
    """Prices drawn per patch: what is it worth to weigh a patch's saving against its price?"""
    generator = torch.Generator().manual_seed(0)
    prices = torch.exp(PRICE_SPREAD * torch.randn(logits.shape, generator=generator))
    prices /= prices.mean()
    log_saving = logits / product.policy.scale.cpu()
    return {
        "price-aware: saving per dollar": choose.score_logits(
            log_saving - prices.log(), product.classifier, lab, prices
        ),
        "prices ignored": choose.score_logits(log_saving, product.classifier, lab, prices),
    }
