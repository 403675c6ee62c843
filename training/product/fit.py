"""A bundle from a recipe: train, measure on the test split, write it with its card.

Every stage leaves a checkpoint in the output folder; a resumed run goes on after the last saved epoch.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.bundle import Bundle, CurvePoint, Manifest, dump_bundle, load_bundle
from models.grid import PATCHES
from models.policy import PolicyNetwork, utilities
from models.two_stream import TwoStreamClassifier
from training.data.images import ImageSource
from training.methods.crossfit import fit_temperature
from training.methods.patchdrop import served, train_hr_cnn, train_lr_cnn, train_patchdrop, two_stream
from training.methods.reinforce import greedy_actions
from training.product import choose
from training.product.card import write_card
from training.product.measure import measure
from training.product.stages import train_product
from training.run import processes
from training.run.checkpoints import write_atomically
from training.run.evaluate import Predictor, policy_logits, predict, right_on
from training.run.lab import Lab
from training.run.provenance import git_revision, hardware


@dataclass(frozen=True)
class Candidate:
    """A policy with what it would be served with."""

    policy: PolicyNetwork
    classifier: TwoStreamClassifier
    predictor: Predictor


def fit(lab: Lab, version: str = "1.0.0") -> Path:
    """Train everything that the recipe's mode needs and export it; returns the bundle's folder."""
    hr = train_hr_cnn(lab)
    lr = train_lr_cnn(lab, hr)
    if lab.recipe.mode == "product":
        chosen, candidates, scores = _product(lab, hr, lr)
    else:
        chosen, candidates, scores = _paper(lab, hr, lr)
    best = candidates[chosen]
    manifest = _manifest(lab, best, version)
    best.classifier.temperature = manifest.temperature
    notes = {
        "chosen": chosen,
        "validation": {name: asdict(value) for name, value in scores.items()},
        "validation_images": len(lab.validation),
        "stages": {name: _stage_row(lab, candidate) for name, candidate in candidates.items()},
        "hr_cnn_accuracy": _plain_accuracy(lab, hr),
        "recipe": lab.recipe.name,
        "data": lab.recipe.data,
        "crop_from": lab.recipe.crop_from,
        "seed": lab.run.seed,
        "hardware": hardware(lab.run.device),
        "minutes": minutes(lab.run.out),
    }
    if processes.rank() == 0:
        export(lab.run.out / "bundle", Bundle(manifest, best.policy, best.classifier), lab.test, notes)
    processes.wait()
    return lab.run.out / "bundle"


Fitted = tuple[str, dict[str, Candidate], Mapping[str, choose.Score]]


def _product(lab: Lab, hr: nn.Module, lr: nn.Module) -> Fitted:
    made = train_product(lab, hr, lr)
    candidates = {
        name: Candidate(policy, made.classifier, made.classifier) for name, policy in made.candidates.items()
    }
    return made.chosen, candidates, made.validation


def _paper(lab: Lab, hr: nn.Module, lr: nn.Module) -> Fitted:
    """The paper ships its last stage, whatever validation says of the others."""
    candidates, scores = {}, {}
    for stage, trained in train_patchdrop(lab, two_stream(lab, hr, lr)):
        if not isinstance(trained.classifier, TwoStreamClassifier):
            raise TypeError("only a two-stream classifier can be shipped")
        predictor = served(stage, trained.classifier)
        candidates[stage] = Candidate(trained.policy, trained.classifier, predictor)
        scores[stage] = choose.score(trained.policy, predictor, lab)
    return "ft2", candidates, scores


def _manifest(lab: Lab, best: Candidate, version: str) -> Manifest:
    recipe = lab.recipe
    coarse = best.classifier.coarse
    bought = greedy_actions(utilities(policy_logits(best.policy, lab.images, lab.validation, coarse)))
    probabilities = predict(best.predictor, lab.images, lab.validation, bought, lab.run.device)
    labels = lab.images.labels[lab.validation].cpu()
    return Manifest(
        name=recipe.name,
        version=version,
        mode=recipe.mode,
        classes=lab.images.classes,
        hr_size=recipe.hr_size,
        lr_size=recipe.lr_size,
        tile_m=recipe.tile_m,
        lr_gsd_m=recipe.tile_m / recipe.lr_size,
        hr_gsd_m=recipe.tile_m / recipe.hr_size,
        mean=_three(recipe.mean),
        std=_three(recipe.std),
        fill=best.classifier.fill,
        backbones={"policy": recipe.policy_backbone, "hr": recipe.hr_backbone, "lr": recipe.lr_backbone},
        input_sizes={"policy": recipe.policy_input, "hr": recipe.hr_size, "lr": recipe.lr_input},
        policy_views=best.policy.config.views,
        uncertainty_exponent=best.policy.config.uncertainty_exponent,
        fusion_exponent=best.classifier.fusion_exponent,
        temperature=fit_temperature(probabilities, labels),
        curve=tuple(
            CurvePoint(threshold=t, mean_patches=0, accuracy=0)
            for t in choose.curve_thresholds(best.policy, lab, coarse)
        ),
        curve_split="test",
        evaluation={},
        data_digest=lab.images.digest,
        git_revision=git_revision(),
        weights={},
    )


def _three(values: tuple[float, ...]) -> tuple[float, float, float]:
    red, green, blue = values
    return red, green, blue


def export(folder: Path, bundle: Bundle, test: ImageSource, notes: dict[str, Any]) -> None:
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


def _stage_row(lab: Lab, candidate: Candidate) -> dict[str, float]:
    everything = torch.arange(len(lab.test.labels))
    logits = policy_logits(candidate.policy, lab.test, everything, candidate.classifier.coarse)
    bought = greedy_actions(utilities(logits))
    return {
        "accuracy": float(right_on(candidate.predictor, lab.test, bought, lab.run.device).mean()),
        "mean_patches": float(bought.double().sum(1).mean()),
        "images_without_purchase": float((~bought.any(1)).double().mean()),
    }


def _plain_accuracy(lab: Lab, hr: nn.Module) -> float:
    whole = torch.ones(len(lab.test.labels), PATCHES).bool()
    return float(right_on(lambda tile, _lr, _bought: hr(tile), lab.test, whole, lab.run.device).mean())


def minutes(out: Path) -> float:
    """Wall time of every epoch logged in a run's folder."""
    lines = (json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines())
    seconds = sum(float(line.get("seconds", 0.0)) for line in lines)
    return round(seconds / 60, 1)


def remeasure(bundle: Bundle, images: ImageSource) -> dict[str, Any]:
    """Measure a released bundle on a split of a data set; its classes must be the bundle's."""
    if images.classes != bundle.manifest.classes:
        raise ValueError(f"the data set has other classes than the bundle {bundle.manifest.name!r}")
    return measure(bundle, images)
