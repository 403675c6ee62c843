"""`loupe-train fit` with a recipe that looks for objects: a counting bundle, with its card.

The policies that ship learn from train and validation together. Thresholds are placed on validation, with
policies that learnt from train only. The test split is only measured.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from models.bundle import CountBundle, dump_bundle, load_bundle
from models.counts import Counts
from models.manifest import CountManifest, Task, ValueCurve, count_classes
from models.scene_policy import ScenePolicy
from models.values import patch_values
from training.data.images import DataError
from training.data.object_scenes import ObjectScene, ObjectScenes
from training.objects.card import write_card
from training.objects.counter import train_counter
from training.objects.measure import curve_of, measure
from training.objects.operating import place_thresholds
from training.objects.policy import expected_counts, train_scene_policy
from training.objects.recipe import SearchRecipe
from training.objects.tiles import by_tile
from training.objects.windows import MEAN, STD
from training.product.fit import minutes, write_bundle
from training.run.folder import Run, claimed
from training.run.provenance import git_revision, hardware

TASKS: tuple[Task, ...] = ("label", "count", "find")


def fit(run: Run, data: ObjectScenes, recipe: SearchRecipe, version: str) -> Path:
    """Train the policies and the counter, and write the bundle with its card; return its folder.

    Raise DataError if one of the three splits has no scene, and ValueError if another process is writing to
    the folder, or if it holds another run.
    """
    for split in ("train", "validation", "test"):
        if not data.of(split):
            raise DataError(f"The data set has no scene of the split {split}, which `fit` needs.")
    # Asked before anything else: a commit made while the run trains is not the code that ran.
    revision = git_revision()
    with claimed(run, recipe):
        counter = train_counter(run, data, data.of("train", "validation"), recipe).cpu()
        apart = _policies(run, "held_out_policy", data, data.of("train"), recipe)
        values = _placed(data, apart)
        policies = _policies(run, "policy", data, data.of("train", "validation"), recipe)
        manifest = _manifest(data, recipe, values, version, revision)
        notes = {
            "recipe": recipe.name,
            "seed": run.seed,
            "hardware": hardware(run.device),
            "minutes": minutes(run.out),
            "lr": data.facts["lr"],
            "sensor_gap": data.facts["sensor_gap"],
            "sites": {split: _sites(data, split) for split in ("train", "validation", "test")},
        }
        export(run.out / "bundle", CountBundle(manifest, tuple(policies), counter), data, notes)
    return run.out / "bundle"


def export(folder: Path, bundle: CountBundle, data: ObjectScenes, notes: dict[str, Any]) -> None:
    """Measure a bundle as it will be read (fp16 weights, fp32 on the CPU), and write it with its card."""
    # Through bytes and back: halving the weights' precision moves values near the threshold.
    shipped = load_bundle(dump_bundle(bundle), "count")
    measured = measure(shipped, data, "test")
    values = {
        task: ValueCurve(threshold=value.threshold, curve=curve_of(measured["tasks"][task]))
        for task, value in shipped.manifest.values.items()
    }
    # Dumped again: the manifest gets its measured figures, and the weights do not change.
    files = dump_bundle(shipped, values=values, evaluation={**notes, "test": measured})
    card = write_card(load_bundle(files, "count").manifest, sum(map(len, files.values())))
    write_bundle(folder, files, card)


def _policies(
    run: Run, stage: str, data: ObjectScenes, scenes: Sequence[ObjectScene], recipe: SearchRecipe
) -> list[ScenePolicy]:
    return [
        train_scene_policy(run, f"{stage}{number}", data, scenes, recipe).cpu()
        for number in range(recipe.members)
    ]


def _placed(data: ObjectScenes, policies: Sequence[ScenePolicy]) -> dict[Task, ValueCurve]:
    """Place the thresholds of every task on the validation sites, which these policies have not learnt."""
    scenes, bins = data.of("validation"), tuple(data.facts["bins"])
    maps = list(zip(expected_counts(policies, scenes), scenes, strict=True))
    expected = Counts.of_moments(
        torch.cat([by_tile(counts.mean[0].double(), scene.turns) for counts, scene in maps]),
        torch.cat([by_tile(counts.variance[0].double(), scene.turns) for counts, scene in maps]),
    )
    return {task: place_thresholds(patch_values(expected, task, bins)) for task in TASKS}


def _manifest(
    data: ObjectScenes,
    recipe: SearchRecipe,
    values: dict[Task, ValueCurve],
    version: str,
    revision: str,
) -> CountManifest:
    facts, bins = data.facts, tuple(data.facts["bins"])
    return CountManifest(
        name=recipe.name,
        version=version,
        classes=count_classes(bins),
        hr_size=int(facts["hr_size"]),
        lr_size=int(facts["lr_size"]),
        tile_m=float(facts["tile_m"]),
        lr_gsd_m=float(facts["lr_gsd_m"]),
        hr_gsd_m=float(facts["hr_gsd_m"]),
        mean=MEAN,
        std=STD,
        curve_split="test",
        licence=str(facts["licence"]),
        objects=recipe.objects,
        bins=bins,
        policy_backbone=recipe.policy_backbone,
        counter_backbone=recipe.counter_backbone,
        members=recipe.members,
        views=recipe.views,
        values=values,
        evaluation={},  # filled in by `export`, after the measurement
        data_digest=data.digest,
        git_revision=revision,
        weights={},
    )


def _sites(data: ObjectScenes, split: str) -> int:
    return len({scene.site for scene in data.of(split)})
