"""`loupe-train fit` with a recipe that looks for objects: a counting bundle, with its card.

The policies that ship learn from train and validation together. Thresholds, the second look and guarantees
come from policies that each left out the sites of one fold. The test split is only measured.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from models.bundle import CountBundle, dump_bundle, load_bundle
from models.manifest import CountManifest, ValueCurve, count_classes
from models.tasks import Task
from training.data.images import DataError
from training.data.object_scenes import ObjectScene, ObjectScenes
from training.objects.card import write_card
from training.objects.maps import exact, maps_of, tiles_of
from training.objects.measure import curve_of, measure
from training.objects.networks import SearchNetworks, train_networks
from training.objects.operating import place_thresholds
from training.objects.promises import certified, task_values
from training.objects.recipe import SearchRecipe
from training.objects.second_look import fit_second_look
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
        learnt = data.of("train", "validation")
        networks = train_networks(run, data, learnt, recipe)
        manifest = _manifest(data, recipe, _learnt_of(networks, data, learnt, run.seed), version, revision)
        notes = {
            "recipe": recipe.name,
            "seed": run.seed,
            "hardware": hardware(run.device),
            "minutes": minutes(run.out, stages_of(recipe)),
            "lr": data.facts["lr"],
            "sensor_gap": data.facts["sensor_gap"],
            "sites": {split: _sites(data, split) for split in ("train", "validation", "test")},
        }
        export(run.out / "bundle", CountBundle(manifest, networks.policies, networks.counter), data, notes)
    return run.out / "bundle"


def stages_of(recipe: SearchRecipe) -> tuple[str, ...]:
    """Return the names of the stages of a run; its folder may hold others, of tables or older versions."""
    folds, members = range(recipe.folds), range(recipe.members)
    return "counter", *(f"fold{fold}" for fold in folds), *(f"policy{member}" for member in members)


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


def _learnt_of(
    networks: SearchNetworks, data: ObjectScenes, learnt: Sequence[ObjectScene], seed: int
) -> dict[str, Any]:
    """Return the fields of the manifest that follow from what the policies of the folds expect."""
    bins = tuple(data.facts["bins"])
    readings = [exact(scene) for scene in learnt]
    tiles = tiles_of(maps_of(learnt, networks.fold_maps, readings, learnt, int(data.facts["lr_size"])))
    counts = [torch.from_numpy(scene.counts) for scene in learnt]
    return {
        "values": {task: place_thresholds(task_values(tiles, task, bins)) for task in TASKS},
        "fusion": networks.fusion,
        "second_look": fit_second_look(networks.fold_maps, counts, seed),
        "guarantees": certified(tiles, bins),
    }


def _manifest(
    data: ObjectScenes,
    recipe: SearchRecipe,
    learnt: dict[str, Any],
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
        **learnt,
        evaluation={},  # filled in by `export`, after the measurement
        data_digest=data.digest,
        git_revision=revision,
        weights={},
    )


def _sites(data: ObjectScenes, split: str) -> int:
    return len({scene.site for scene in data.of(split)})
