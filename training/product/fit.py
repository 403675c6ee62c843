"""`loupe-train fit`: train a recipe, measure the result on the test split, and write a bundle with its card.

Every stage writes a checkpoint into the output folder; a resumed run continues after the last saved epoch.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.bundle import ClassifyBundle, ClassifyManifest, CurvePoint, dump_bundle, load_bundle
from models.grid import PATCHES
from models.policy import PolicyNetwork, utilities
from models.two_stream import TwoStreamClassifier
from training.data.images import ImageSource
from training.methods.classifiers import train_hr_cnn, train_lr_cnn
from training.methods.out_of_fold import fit_temperature
from training.methods.patchdrop import served, train_patchdrop, two_stream
from training.methods.reinforce import greedy_actions
from training.product import choose
from training.product.card import write_card
from training.product.measure import measure
from training.product.stages import train_product
from training.run import processes
from training.run.checkpoints import write_atomically
from training.run.evaluate import TilePredictor, policy_logits, predict, right_on
from training.run.folder import Run
from training.run.provenance import git_revision, hardware
from training.run.recipe import Recipe
from training.run.splits import Splits


@dataclass(frozen=True)
class ServedPolicy:
    """A policy with the classifier that it would be served with."""

    policy: PolicyNetwork
    classifier: TwoStreamClassifier
    predictor: TilePredictor
    """The classifier as its stage uses it: Pt and Ft-1 predict without the LR stream."""


def fit(run: Run, splits: Splits, recipe: Recipe, version: str = "1.0.0") -> Path:
    """Train every stage that the recipe's mode needs and export the bundle; return its folder."""
    hr = train_hr_cnn(run, splits.to_learn, recipe)
    lr = train_lr_cnn(run, splits.to_learn, recipe, hr)
    train_candidates = _product if recipe.mode == "product" else _paper
    chosen, candidates, scores = train_candidates(run, splits, recipe, hr, lr)
    best = candidates[chosen]
    manifest = _manifest(splits, recipe, best, version)
    # The temperature was fitted on uncalibrated probabilities, so the classifier gets it only now.
    best.classifier.temperature = manifest.temperature
    notes = {
        "chosen": chosen,
        "validation": {name: asdict(value) for name, value in scores.items()},
        "validation_images": len(splits.validation),
        "stages": {name: _stage_row(splits.test, candidate) for name, candidate in candidates.items()},
        # HR-CNN is not shipped, so this figure can only be measured now.
        "hr_cnn_accuracy": _plain_accuracy(splits.test, hr, run.device),
        "recipe": recipe.name,
        "data": recipe.data,
        "crop_from": recipe.crop_from,
        "seed": run.seed,
        "hardware": hardware(run.device),
        "minutes": minutes(run.out),
    }
    # Every process holds the same networks: one writes, and the others wait for the files.
    if processes.rank() == 0:
        export(run.out / "bundle", ClassifyBundle(manifest, best.policy, best.classifier), splits.test, notes)
    processes.wait()
    return run.out / "bundle"


Fitted = tuple[str, dict[str, ServedPolicy], Mapping[str, choose.Score]]
"""Name of the chosen candidate, all candidates, and their scores on validation."""


def _product(run: Run, splits: Splits, recipe: Recipe, hr: nn.Module, lr: nn.Module) -> Fitted:
    made = train_product(run, splits, recipe, hr, lr)
    candidates = {
        name: ServedPolicy(policy, made.classifier, made.classifier)
        for name, policy in made.candidates.items()
    }
    return made.chosen, candidates, made.validation


def _paper(run: Run, splits: Splits, recipe: Recipe, hr: nn.Module, lr: nn.Module) -> Fitted:
    """Train the paper's stages; the last one is shipped, whatever the others score on validation."""
    candidates, scores = {}, {}
    classifier = two_stream(hr, lr, recipe.lr_input)
    for stage, trained in train_patchdrop(run, splits, recipe, classifier):
        if not isinstance(trained.classifier, TwoStreamClassifier):
            raise TypeError("Only a two-stream classifier can be shipped.")
        predictor = served(stage, trained.classifier)
        candidates[stage] = ServedPolicy(trained.policy, trained.classifier, predictor)
        scores[stage] = choose.score(trained.policy, predictor, splits.images, splits.validation)
    return "ft2", candidates, scores


def _manifest(splits: Splits, recipe: Recipe, best: ServedPolicy, version: str) -> ClassifyManifest:
    images, validation = splits.images, splits.validation
    coarse = best.classifier.coarse
    # The temperature is fitted on validation, under the choices that are served there.
    bought = greedy_actions(utilities(policy_logits(best.policy, images, validation, coarse)))
    probabilities = predict(best.predictor, images, validation, bought, best.policy.shift.device)
    labels = images.labels[validation].cpu()
    return ClassifyManifest(
        name=recipe.name,
        version=version,
        mode=recipe.mode,
        classes=images.classes,
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
        # Only the thresholds: `export` measures the two other columns on the shipped weights.
        curve=tuple(
            CurvePoint(threshold=t, mean_patches=0, accuracy=0)
            for t in choose.curve_thresholds(best.policy, images, validation, coarse)
        ),
        curve_split="test",
        evaluation={},  # filled in by `export`, after the measurement
        data_digest=images.digest,
        git_revision=git_revision(),
        weights={},
    )


def _three(values: tuple[float, ...]) -> tuple[float, float, float]:
    red, green, blue = values  # the recipe's TOML list may have any length; a manifest has three bands
    return red, green, blue


def export(folder: Path, bundle: ClassifyBundle, test: ImageSource, notes: dict[str, Any]) -> None:
    """Measure a bundle as it will be read (fp16 weights, fp32 on the CPU), and write it with its card."""
    # The card must be reproducible by `loupe-train evaluate` on any machine, hence on the CPU.
    bundle.policy.cpu()
    bundle.classifier.cpu()
    # Through bytes and back: halving the weights' precision moves utilities near the threshold.
    shipped = load_bundle(dump_bundle(bundle), "classify")
    measured = measure(shipped, test)
    curve = tuple(CurvePoint(**point) for point in measured["curve"])
    # Dumped again: the manifest gets its measured figures, and the weights do not change.
    files = dump_bundle(shipped, curve=curve, evaluation={**notes, "test": measured})
    card = write_card(load_bundle(files, "classify").manifest, sum(map(len, files.values())))
    write_bundle(folder, files, card)


def write_bundle(folder: Path, files: Mapping[str, bytes], card: str) -> None:
    """Write the files of a bundle with its card."""
    folder.mkdir(parents=True, exist_ok=True)
    # Each file by rename: a killed export never leaves half a file.
    for name, content in {**files, "README.md": card.encode()}.items():
        write_atomically(folder / name, content)


def _stage_row(test: ImageSource, candidate: ServedPolicy) -> dict[str, float]:
    everything = torch.arange(len(test.labels))
    # On the networks as trained, in contrast to `measure`, which reads the shipped weights.
    logits = policy_logits(candidate.policy, test, everything, candidate.classifier.coarse)
    bought = greedy_actions(utilities(logits))
    right = right_on(candidate.predictor, test, bought, candidate.policy.shift.device)
    return {
        "accuracy": float(right.mean()),
        "mean_patches": float(bought.double().sum(1).mean()),
        "images_without_purchase": float((~bought.any(1)).double().mean()),
    }


def _plain_accuracy(test: ImageSource, hr: nn.Module, device: torch.device) -> float:
    whole = torch.ones(len(test.labels), PATCHES).bool()
    # HR-CNN reads whole tiles: the choice of patches is only there for the interface.
    return float(right_on(lambda tile, _lr, _bought: hr(tile), test, whole, device).mean())


def minutes(out: Path, stages: Collection[str] | None = None) -> float:
    """Return the minutes of the epochs logged in a run's folder: of some stages, or of all."""
    log = out / "metrics.jsonl"
    # A run whose checkpoints were copied from elsewhere has no log.
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    # An epoch that was repeated after a crash counts once. Warnings are lines too, without seconds.
    seconds = {(line["stage"], line["epoch"]): float(line["seconds"]) for line in lines if "seconds" in line}
    counted = [time for (stage, _), time in seconds.items() if stages is None or stage in stages]
    return round(sum(counted) / 60, 1)


def remeasure(bundle: ClassifyBundle, images: ImageSource) -> dict[str, Any]:
    """Measure a released bundle on a split of a data set.

    Raise ValueError unless the classes are the bundle's, in the same order.
    """
    if images.classes != bundle.manifest.classes:
        raise ValueError(f"The data set has other classes than the bundle {bundle.manifest.name!r}.")
    return measure(bundle, images)
