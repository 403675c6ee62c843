"""`loupe-train table rounds`: two rounds of buying against one, and thresholds with a guarantee."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from training.data.object_scenes import ObjectScenes
from training.objects.guarantee import least_epsilon
from training.objects.promises import DELTA
from training.objects.recipe import SearchRecipe
from training.rounds.guaranteed_rows import GuaranteeRow, guarantee_rows
from training.rounds.rows import Gain, RoundRow, round_rows
from training.rounds.run import RoundsSeed
from training.run.provenance import git_revision, hardware

_LOSS = {"objects": "objects missed", "labels": "labels lost"}
_ROUNDS = """## Two rounds against one at equal money

One budget over all tiles. S is the mean number of patches per tile in both rounds together; each round spends
half. Bought patches are read by the counter, and the second look sees these readings. Each gain is the
difference from one round, with the 95 % interval of a bootstrap over test sites; for objects, each resample
spends its own budget.

| S | | objects found, % | gain | right labels, % | gain | count error | change |
|---|---|---|---|---|---|---|---|
"""
_GUARANTEES = """## Guarantees with probability {sure:.0f} %

Thresholds are certified on out-of-fold maps of {sites} sites by Learn-then-Test (fixed sequence, betting
bound on the mean loss of a site). Objects missed are a share of a site's objects. Labels lost are tiles whose
label is right with every patch bought, and wrong with these. Readings count as perfect.

So few sites cannot certify less than {least:.1f} %, even without any loss. The guarantee is about the mean of
sites: the last column says how often a single site lost more. S and loss are those of the
test sites.

| loss | value | at most | threshold | S | loss | held in re-splits | certified in | S there | above |
|---|---|---|---|---|---|---|---|---|---|
"""


def report_rounds(
    data: ObjectScenes, recipe: SearchRecipe, seeds: dict[int, RoundsSeed], out: Path, device: torch.device
) -> Path:
    """Write OUT/report/rounds-<recipe>.md and .json; return the path of the Markdown."""
    bins, measured = tuple(data.facts["bins"]), list(seeds.values())
    sites = len(set(measured[0].learnt_by_fold.sites))
    chosen = "".join(f" --seed {seed}" for seed in seeds)
    facts = {
        "command": f"loupe-train table rounds --recipe {recipe.name} --data DIR --out OUT{chosen}",
        "commit": git_revision(),
        "seeds": list(seeds),
        "hardware": hardware(device),
        "data_digest": data.digest,
        "calibration_sites": sites,
        "test_sites": len(set(measured[0].test.sites)),
        "test_tiles": len(measured[0].test),
    }
    rows, guarantees = round_rows(data.of("test"), measured, bins), guarantee_rows(measured, bins)
    folder = out / "report"
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        **facts,
        "rounds": [asdict(row) for row in rows],
        "guarantees": [asdict(row) for row in guarantees],
    }
    (folder / f"rounds-{recipe.name}.json").write_text(json.dumps(document, indent=1) + "\n")
    path = folder / f"rounds-{recipe.name}.md"
    path.write_text("\n\n".join([_head(facts), _rounds(rows), _guarantees(sites, guarantees)]) + "\n")
    return path


def _head(facts: dict[str, Any]) -> str:
    return (
        "# A second round, and guarantees\n\n"
        f"`{facts['command']}`\nat commit `{str(facts['commit'])[:12]}`, on {facts['hardware']}; "
        f"{facts['test_tiles']:,} tiles at {facts['test_sites']} test sites; "
        f"means over seeds {', '.join(map(str, facts['seeds']))}."
    )


def _rounds(rows: Sequence[RoundRow]) -> str:
    return _ROUNDS + "\n".join(
        f"| {row.patches} | {row.name} | {100 * row.found:.1f} | {_gain(row.found_gain, 100, 1)} "
        f"| {100 * row.right:.1f} | {_gain(row.right_gain, 100, 1)} "
        f"| {row.error:.2f} | {_gain(row.error_gain, 1, 2)} |"
        for row in rows
    )


def _gain(gain: Gain, scale: int, digits: int) -> str:
    value, low, high = (f"{scale * one:+.{digits}f}" for one in (gain.value, gain.low, gain.high))
    return f"{value} [{low}, {high}]"


def _guarantees(sites: int, rows: Sequence[GuaranteeRow]) -> str:
    head = _GUARANTEES.format(sure=100 * (1 - DELTA), sites=sites, least=100 * least_epsilon(sites, DELTA))
    return head + "\n".join(
        f"| {_LOSS[row.loss]} | {row.task} | {100 * row.epsilon:g} % "
        f"| {'everything' if row.threshold is None else f'{row.threshold:.3g}'} "
        f"| {row.patches:.1f} | {100 * row.risk:.1f} % | {100 * row.resplits.held:.0f} % "
        f"| {100 * row.resplits.certified:.0f} % | {row.resplits.patches:.1f} "
        f"| {100 * row.resplits.above:.0f} % |"
        for row in rows
    )
