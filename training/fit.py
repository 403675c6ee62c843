"""A whole run, stage after stage: classifiers, cross-fitted jury, policies, choice, bundle and card.

Every stage leaves a checkpoint in the output folder; a resumed run goes on after the last saved epoch.
"""

import copy
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.bundle import Bundle, CurvePoint, Manifest, dump_bundle, load_bundle
from models.policy import PolicyConfig, PolicyNetwork
from models.two_stream import TwoStreamClassifier
from training import choose
from training.checkpoints import write_atomically
from training.crossfit import Jury, Table, ask, fit_temperature, frozen
from training.data import Images, fold_of, read_split, split_groups
from training.epochs import Run, seed_everything
from training.evaluate import measure, policy_logits, predict
from training.initial_weights import IMAGENET_MEAN, IMAGENET_STD, copy_matching, start_backbone
from training.provenance import git_revision, hardware
from training.recipe import Recipe
from training.report import write_card
from training.train_classifier import coarse_view, filled_view, full_view, train_classifier
from training.train_jointly import train_jointly
from training.train_policy import train_policy
from training.train_values import train_values


def fit(recipe: Recipe, data: Path, run: Run) -> Path:
    """Train everything in `recipe` on data/train, measure it on data/test; returns the bundle's folder."""
    images = read_split(data / "train", recipe.hr_size, recipe.lr_size)
    learnt, validation = split_groups(images, recipe.validation_per_class, recipe.seed)
    plain, lr, filled = _classifiers(recipe, run, images, learnt)
    jury = _jury(recipe, run, images, learnt, filled, lr)
    table = ask(run, jury, images, learnt, recipe.table_masks)
    exponent = choose.fusion_exponent(table)
    for classifier in jury.classifiers:
        classifier.fusion_exponent = exponent
    classifier = _two_stream(recipe, filled, lr, exponent)
    candidates = _policies(recipe, run, images, learnt, jury, table, classifier)
    scores = {name: choose.score(*pair, images, validation) for name, pair in candidates.items()}
    best = max(scores, key=lambda name: (scores[name].accuracy, scores[name].confidence))
    for policy, _ in candidates.values():
        choose.place_operating_point(policy, images, validation, recipe.target_patches)
    policy, classifier = candidates[best]
    manifest = _manifest(recipe, images, policy, classifier, validation)
    classifier.temperature = manifest.temperature
    test = read_split(data / "test", recipe.hr_size, recipe.lr_size)
    notes = {
        "chosen": best,
        "validation": {name: asdict(value) for name, value in scores.items()},
        "validation_images": len(validation),
        "stages": {name: _stage_row(*pair, test) for name, pair in candidates.items()},
        "hr_cnn_accuracy": _plain_accuracy(plain, test),
        "recipe": recipe.name,
        "seed": recipe.seed,
        "hardware": hardware(run.device),
        "minutes": _minutes(run.out),
    }
    return export(run.out / "bundle", Bundle(manifest, policy, classifier), test, notes)


def _start(run: Run, stage: str, name: str, outputs: int, *, pretrained: bool) -> nn.Module:
    seed_everything(run.seed, f"start {stage}", 0)
    return start_backbone(name, outputs, pretrained=pretrained)


def _classifiers(
    recipe: Recipe, run: Run, images: Images, learnt: Tensor
) -> tuple[nn.Module, nn.Module, nn.Module]:
    """HR-CNN, and from its weights LR-CNN and the filled HR stream."""
    classes = len(images.classes)
    plain = _start(run, "hr", recipe.hr_backbone, classes, pretrained=recipe.pretrained)
    train_classifier(run, "hr", plain, full_view, images, learnt, recipe.hr)
    lr = _start(run, "lr", recipe.lr_backbone, classes, pretrained=False)
    copy_matching(plain, lr)
    train_classifier(run, "lr", lr, coarse_view(recipe.lr_input), images, learnt, recipe.lr)
    filled = copy.deepcopy(plain)
    train_classifier(run, "filled", filled, filled_view(recipe.fill), images, learnt, recipe.filled)
    return frozen(plain), frozen(lr), filled


def _jury(recipe: Recipe, run: Run, images: Images, learnt: Tensor, filled: nn.Module, lr: nn.Module) -> Jury:
    """One two-stream classifier per fold, from ImageNet: the weights of `plain` have seen every fold."""
    fold = fold_of(images, learnt, recipe.folds, recipe.seed)
    if recipe.folds == 1:
        return Jury([_two_stream(recipe, filled, lr, 1.0)], fold)
    classes = len(images.classes)
    jurors = []
    for number in range(recipe.folds):
        others = learnt[fold[learnt] != number]
        hr_stage, lr_stage = f"fold{number}", f"fold{number}_lr"
        hr_part = _start(run, hr_stage, recipe.hr_backbone, classes, pretrained=recipe.pretrained)
        train_classifier(run, hr_stage, hr_part, filled_view(recipe.fill), images, others, recipe.fold)
        lr_part = _start(run, lr_stage, recipe.lr_backbone, classes, pretrained=False)
        copy_matching(hr_part, lr_part)
        train_classifier(run, lr_stage, lr_part, coarse_view(recipe.lr_input), images, others, recipe.fold_lr)
        jurors.append(_two_stream(recipe, frozen(hr_part), frozen(lr_part), 1.0))
    return Jury(jurors, fold)


def _two_stream(recipe: Recipe, hr: nn.Module, lr: nn.Module, exponent: float) -> TwoStreamClassifier:
    return TwoStreamClassifier(
        hr, lr, lr_input_size=recipe.lr_input, fill=recipe.fill, fusion_exponent=exponent
    ).eval()


def _policies(
    recipe: Recipe,
    run: Run,
    images: Images,
    learnt: Tensor,
    jury: Jury,
    table: Table,
    classifier: TwoStreamClassifier,
) -> dict[str, tuple[PolicyNetwork, TwoStreamClassifier]]:
    """The policy after each stage, with the classifier it would be served with."""
    seed_everything(run.seed, "start values", 0)
    values = PolicyNetwork(PolicyConfig(backbone=recipe.policy_backbone, input_size=recipe.policy_input))
    # Where the LR classifier is unsure is what makes a tile worth buying: start from what it sees.
    copy_matching(classifier.lr, values.backbone)
    train_values(run, "values", values, table, classifier.fusion_exponent, images, recipe.values)
    choose.place_operating_point(values, images, learnt, recipe.start_patches)
    pt = copy.deepcopy(values)
    train_policy(run, "pt", pt, jury, images, learnt, recipe.pt)
    result = {"values": (values, classifier), "pt": (pt, classifier)}
    for stage, config in (("ft1", recipe.ft1), ("ft2", recipe.ft2)):
        start = result["pt" if stage == "ft1" else "ft1"][0]
        policy, trained = copy.deepcopy(start), copy.deepcopy(classifier)
        trained.hr.requires_grad_(True)
        judges = jury if recipe.folds > 1 else Jury([trained], jury.fold)
        train_jointly(run, stage, policy, trained, judges, images, learnt, config)
        result[stage] = (policy, trained)
    for policy, _ in result.values():
        policy.views = recipe.policy_views
    return result


def _manifest(
    recipe: Recipe, images: Images, policy: PolicyNetwork, classifier: TwoStreamClassifier, validation: Tensor
) -> Manifest:
    bought = policy_logits(policy, images, validation) >= 0
    probabilities = predict(classifier, images, validation, bought)
    thresholds = choose.curve_thresholds(policy, images, validation)
    return Manifest(
        name=recipe.name,
        version="1.0.0",
        mode="product" if recipe.fill == "lr" else "paper",
        classes=images.classes,
        hr_size=recipe.hr_size,
        lr_size=recipe.lr_size,
        tile_m=recipe.tile_m,
        lr_gsd_m=recipe.tile_m / recipe.lr_size,
        hr_gsd_m=recipe.tile_m / recipe.hr_size,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        fill=recipe.fill,
        backbones={"policy": recipe.policy_backbone, "hr": recipe.hr_backbone, "lr": recipe.lr_backbone},
        input_sizes={"policy": recipe.policy_input, "hr": recipe.hr_size, "lr": recipe.lr_input},
        policy_views=policy.views,
        fusion_exponent=classifier.fusion_exponent,
        temperature=fit_temperature(probabilities, images.labels[validation]),
        curve=tuple(CurvePoint(threshold=t, mean_patches=0, accuracy=0) for t in thresholds),
        curve_split="test",
        evaluation={},
        data_digest=images.digest,
        git_revision=git_revision(),
        weights={},
    )


def export(folder: Path, bundle: Bundle, test: Images, notes: dict[str, Any]) -> Path:
    """Write the bundle, measured as it will be read back (fp16 weights, fp32 CPU), and its card."""
    bundle.policy.cpu()
    bundle.classifier.cpu()
    shipped = load_bundle(dump_bundle(bundle))
    measured = measure(shipped, test)
    curve = tuple(CurvePoint(**point) for point in measured["curve"])
    files = dump_bundle(shipped, curve=curve, evaluation={**notes, "test": measured})
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(folder / name, content)
    card = write_card(load_bundle(files).manifest, sum(len(content) for content in files.values()))
    write_atomically(folder / "README.md", card.encode())
    return folder


def _stage_row(policy: PolicyNetwork, classifier: TwoStreamClassifier, test: Images) -> dict[str, float]:
    everything = torch.arange(len(test.labels))
    bought = policy_logits(policy, test, everything) >= 0
    right = predict(classifier, test, everything, bought).argmax(1) == test.labels
    return {
        "accuracy": float(right.double().mean()),
        "mean_patches": float(bought.double().sum(1).mean()),
        "images_without_purchase": float((~bought.any(1)).double().mean()),
    }


def _plain_accuracy(plain: nn.Module, test: Images) -> float:
    whole = torch.ones(len(test.labels), 16).bool()
    streams = TwoStreamClassifier(plain, plain, lr_input_size=test.lr.shape[-1], fill="zero").eval()
    probabilities = predict(streams, test, torch.arange(len(test.labels)), whole)
    return float((probabilities.argmax(1) == test.labels).double().mean())


def _minutes(out: Path) -> float:
    lines = (json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines())
    seconds = sum(float(line.get("seconds", 0.0)) for line in lines)
    return round(seconds / 60, 1)


def remeasure(bundle: Bundle, data: Path, split: str) -> dict[str, Any]:
    """Measure a released bundle on a split of a data set; its classes must be the bundle's."""
    images = read_split(data / split, bundle.manifest.hr_size, bundle.manifest.lr_size)
    if images.classes != bundle.manifest.classes:
        raise ValueError(f"{data / split} has other classes than the bundle {bundle.manifest.name!r}")
    return measure(bundle, images)
