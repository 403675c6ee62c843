"""The ablation: the value of each part of the product on validation, with one part changed at a time.

Scores are means over S = 2 to 6 patches per tile (choose.score), at equal S or at equal cost. Parts that
need another training (a classifier, a policy) are trained here, in separate stages.
"""

import copy
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor, nn

from models.fixed_orders import FIXED_H
from models.policy import PolicyNetwork
from models.preprocess import Fill
from models.two_stream import TwoStreamClassifier
from training.methods.baselines import in_fixed_order
from training.methods.classifiers import filled_view, train_classifier
from training.methods.out_of_fold import answer_table, in_sample_ensemble
from training.methods.patchdrop import mixed_streams, new_policy, served
from training.methods.reinforce import train_policy
from training.paper.networks import Networks
from training.product import choose
from training.product.stages import new_value_policy, train_ensemble
from training.product.train_values import train_values
from training.run.evaluate import TilePredictor, is_right, policy_logits, predict

PRICE_SPREAD = 0.75
"""Standard deviation of the logarithm of a patch's price in the comparison with prices."""

SHIPPED = "as shipped"
"""Name of the unchanged product among the variants."""


def measure_ablation(networks: Networks) -> dict[str, Any]:
    """Measure accuracy and confidence of every variant, and the calibrated gate; JSON-serialisable."""
    product = networks.product
    shipped = _logits(networks, product.policy)
    scores = {SHIPPED: _score(networks, shipped)}
    for name, policy in product.candidates.items():
        scores[f"policy: {name}"] = _score(networks, _logits(networks, policy))
    # Another classifier under the shipped choices, then other choices under the shipped classifier.
    for name, variant in CLASSIFIERS.items():
        scores[name] = _score(networks, shipped, variant(networks))
    for name, preference in _preferences(networks).items():
        scores[name] = _score(networks, preference(networks))
    gate, gated = _gate(networks)
    scores["calibrated gate instead of label uncertainty: buy nothing where LR is confident"] = gated
    return {
        "scores": {name: asdict(score) for name, score in scores.items()},
        "prices": {name: asdict(score) for name, score in _with_prices(networks, shipped).items()},
        "gate": asdict(gate),
        "images": len(networks.splits.validation),
    }


def _score(
    networks: Networks, logits: Tensor, predictor: TilePredictor | None = None, prices: Tensor | None = None
) -> choose.Score:
    """Score a preference on validation, with the product's classifier unless another one is given."""
    splits = networks.splits
    answers = predictor or networks.product.classifier
    return choose.score_logits(logits, answers, splits.images, splits.validation, networks.run.device, prices)


def _exponent_one(networks: Networks) -> TilePredictor:
    plain = copy.copy(networks.product.classifier)  # shallow: the weights stay shared
    plain.fusion_exponent = 1.0
    return plain


def _hr_alone(networks: Networks) -> TilePredictor:
    return served("ft1", networks.product.classifier)  # Ft-1 is served without the LR stream


def _zero_filled(networks: Networks) -> TilePredictor:
    """Train the product's classifier with zeros in the patches that are not bought."""
    network = copy.deepcopy(networks.hr).requires_grad_(True)
    view, config = filled_view("zero"), networks.recipe.stage("filled")
    train_classifier(networks.run, "filled_zero", network, view, networks.data, config)
    return _with_hr(networks, network, "zero")


def _not_mask_trained(networks: Networks) -> TilePredictor:
    return _with_hr(networks, networks.hr, networks.recipe.fill)  # HR-CNN has only seen whole tiles


def _taught(networks: Networks) -> TilePredictor:
    """Train the product's classifier with HR-CNN on the whole tile as its teacher."""
    recipe, teacher = networks.recipe, networks.hr
    network = copy.deepcopy(teacher).requires_grad_(True)
    view, config = filled_view(recipe.fill), recipe.stage("filled")
    train_classifier(networks.run, "filled_taught", network, view, networks.data, config, teacher=teacher)
    return _with_hr(networks, network, recipe.fill)


def _with_hr(networks: Networks, hr: nn.Module, fill: Fill) -> TwoStreamClassifier:
    """Return the product's classifier with another HR stream."""
    # The product's exponent: refitting it would change two parts at once.
    exponent = networks.product.classifier.fusion_exponent
    return mixed_streams(hr, networks.lr, networks.recipe.lr_input, fill=fill, exponent=exponent)


def _logits(networks: Networks, policy: PolicyNetwork) -> Tensor:
    coarse = networks.product.classifier.coarse
    return policy_logits(policy, networks.splits.images, networks.splits.validation, coarse)


def _shipped_but(networks: Networks, **changes: Any) -> Tensor:
    """Return the logits of the shipped policy with other settings."""
    policy = copy.deepcopy(networks.product.policy)
    policy.config = replace(policy.config, **changes)
    return _logits(networks, policy)


def _one_view(networks: Networks) -> Tensor:
    return _shipped_but(networks, views=1)


def _uncertainty_toggled(networks: Networks) -> Tensor:
    """Return the logits without label uncertainty, or with it if validation chose to ignore it."""
    weighed = networks.product.policy.config.uncertainty_exponent > 0
    return _shipped_but(networks, uncertainty_exponent=0.0 if weighed else 1.0)


def _out_of_fold_toggled(networks: Networks) -> Tensor:
    """Fit value regression in sample if the recipe is out of fold, and out of fold if it is in sample."""
    run, splits, recipe = networks.run, networks.splits, networks.recipe
    classifier = networks.product.classifier
    # Stage names are part of the seed: each variant must keep its own.
    if recipe.folds == 1:
        crossed = replace(recipe, folds=2)
        name, ensemble = "crossed", train_ensemble(run, splits, crossed, classifier.hr, classifier.lr)
    else:
        name, ensemble = "seen", in_sample_ensemble(classifier, splits.images)
    table = answer_table(run, f"table_{name}", ensemble, splits.images, splits.learnt, recipe.table_masks)
    policy = new_value_policy(run, f"values_{name}", recipe, classifier.lr)
    exponent, config = classifier.fusion_exponent, recipe.stage("values")
    train_values(run, f"values_{name}", policy, table, exponent, networks.data, config)
    return _beside_shipped(networks, policy)


def _reinforce(networks: Networks) -> Tensor:
    """Train the paper's Pt from scratch, rewarded by the product's ensemble."""
    run, recipe = networks.run, networks.recipe
    policy = new_policy(run, "reinforce", recipe.policy_backbone, recipe.policy_input)
    ensemble, config = networks.product.ensemble, recipe.stage("pt")
    train_policy(run, "reinforce", policy, ensemble, networks.splits, config, hr_only=False)
    return _beside_shipped(networks, policy)


def _beside_shipped(networks: Networks, policy: PolicyNetwork) -> Tensor:
    """Return the logits of a policy that differs from the shipped one only in its training."""
    shipped = networks.product.policy.config
    # Views and exponent are chosen after training, so the comparison must share them.
    policy.config = replace(
        policy.config, views=shipped.views, uncertainty_exponent=shipped.uncertainty_exponent
    )
    return _logits(networks, policy)


def _fixed_h(networks: Networks) -> Tensor:
    # (V, 16), the same falling scores for every tile: each threshold buys equally many patches of all.
    ranks = -torch.arange(16.0).repeat(len(networks.splits.validation), 1)
    return in_fixed_order(ranks, FIXED_H)


def _fixed_h_in_tiles(networks: Networks) -> Tensor:
    # As many patches per tile as the policy buys, but always the first ones of Fixed-H.
    return in_fixed_order(_logits(networks, networks.product.policy), FIXED_H)


CLASSIFIERS: dict[str, Callable[[Networks], TilePredictor]] = {
    "fusion weight of eq. 7 (exponent 1)": _exponent_one,
    "no LR stream": _hr_alone,
    "zero fill instead of LR fill": _zero_filled,
    "HR-CNN with LR fill but without mask training": _not_mask_trained,
    "HR-CNN as the HR stream's teacher": _taught,
}


def _preferences(networks: Networks) -> dict[str, Callable[[Networks], Tensor]]:
    weighed = networks.product.policy.config.uncertainty_exponent > 0
    crossed = networks.recipe.folds > 1
    return {
        "one view instead of several symmetries": _one_view,
        f"{'without' if weighed else 'with'} label uncertainty": _uncertainty_toggled,
        f"value regression {'without' if crossed else 'with'} cross-fitting": _out_of_fold_toggled,
        "the paper's REINFORCE, rewarded by the same classifiers": _reinforce,
        "the same number of patches of each tile, in Fixed-H order": _fixed_h_in_tiles,
        "an equal number of patches of every tile, in Fixed-H order": _fixed_h,
    }


def _gate(networks: Networks) -> tuple[choose.Gate, choose.Score]:
    """Score a gate that closes on tiles with a confident LR label and spends their patches on the others."""
    splits, classifier = networks.splits, networks.product.classifier
    labels = splits.images.labels[splits.validation].cpu()
    count = len(splits.validation)
    nothing, everything = torch.zeros(count, 16).bool(), torch.ones(count, 16).bool()
    coarse, whole = (
        predict(classifier, splits.images, splits.validation, chosen, networks.run.device)
        for chosen in (nothing, everything)
    )
    # A loss is a label that buying everything would have corrected.
    lost = (is_right(coarse, labels) == 0) & (is_right(whole, labels) == 1)
    confidence = coarse.max(1).values  # (V, N) -> (V,)
    gate = choose.calibrated_gate(confidence, lost)
    # At S = 6 a gate may leave too few tiles to spend on; the threshold then buys all of them.
    plain = _shipped_but(networks, uncertainty_exponent=0.0)
    # (V, 1) over (V, 16): every patch of a closed tile ranks below all others.
    closed = plain.masked_fill((confidence >= gate.confidence).unsqueeze(1), -1e30)
    return gate, _score(networks, closed)


def _with_prices(networks: Networks, logits: Tensor) -> dict[str, choose.Score]:
    """Score choices at random prices per patch, with and without weighing the saving by the price."""
    generator = torch.Generator().manual_seed(0)  # both variants must face the same prices
    prices = torch.exp(PRICE_SPREAD * torch.randn(logits.shape, generator=generator))
    prices /= prices.mean()  # of mean 1, so a budget of S mean prices per tile compares with S patches
    # Scale spreads the utilities; without it the logits are logarithms of savings again.
    log_saving = logits / networks.product.policy.scale.cpu()
    return {
        "price-aware: saving per dollar": _score(networks, log_saving - prices.log(), prices=prices),
        "prices ignored": _score(networks, log_saving, prices=prices),
    }
