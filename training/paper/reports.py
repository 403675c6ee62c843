"""The reports of `loupe-train table`, `figures` and `ablation` in OUT/report, from OUT/seed*/rows."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from models.grid import PATCHES
from training.methods.patchdrop import served
from training.paper import figures
from training.paper.ablation import SHIPPED, measure_ablation
from training.paper.cells import Seeds
from training.paper.curves import frontier
from training.paper.networks import Networks
from training.paper.published import METHODS, STAGE_NAMES
from training.paper.render import write_table
from training.paper.rows import MeasuredRow, load_rows
from training.paper.runner import rows_folder
from training.paper.sweeps import kept, sweep_ratios, sweep_sigmas
from training.product.fit import minutes
from training.run.checkpoints import write_atomically
from training.run.evaluate import right_on
from training.run.folder import Run
from training.run.provenance import git_revision, hardware
from training.run.recipe import Recipe
from training.run.splits import Splits

GALLERY = 10
"""Number of tiles in Figs. 4 and 6."""


def report_table(number: str, recipe: Recipe, out: Path, device: torch.device) -> Path:
    """Write a table from the rows of every seed in OUT; return the path of the Markdown."""
    seeds = read_seeds(out, number)
    facts = provenance(f"table {number}", recipe, out, seeds, device)
    return write_table(number, seeds, data_name(recipe), facts, out / "report")


def read_seeds(out: Path, number: str) -> Seeds:
    """Load the rows of every seed."""
    # By number: as text, seed10 would come before seed2.
    folders = sorted(out.glob("seed*"), key=lambda path: int(path.name.removeprefix("seed")))
    return {int(path.name.removeprefix("seed")): load_rows(rows_folder(path, number)) for path in folders}


def data_name(recipe: Recipe) -> str:
    """Return the paper's name of a data set, or the recipe's if the paper lacks it."""
    # folders and pairs name a layout, not a data set: recipes put the data set before the first hyphen.
    return recipe.data if recipe.data not in ("folders", "pairs") else recipe.name.split("-")[0]


def provenance(what: str, recipe: Recipe, out: Path, seeds: Seeds, device: torch.device) -> dict[str, Any]:
    """Return the facts that are needed to repeat a report; `what` is the subcommand."""
    return {
        "command": _command(what, recipe, list(seeds)),
        "commit": git_revision(),
        "recipe": recipe.name,
        "seeds": list(seeds),
        "hardware": hardware(device),
        "minutes": sum(minutes(out / f"seed{seed}") for seed in seeds),
    }


def _command(what: str, recipe: Recipe, seeds: list[int]) -> str:
    """Return the command of a report, without paths of this machine."""
    chosen = "".join(f" --seed {seed}" for seed in seeds)
    return f"loupe-train {what} --recipe {recipe.name} --data DIR --out OUT{chosen}"


def report_figures(run: Run, splits: Splits, recipe: Recipe, out: Path, *, sweeps: bool) -> list[Path]:
    """Draw Figs. 1a, 4, 6, 7 and the frontier, with `sweeps` also Fig. 5, and write the JSON behind them."""
    folder = out / "report"
    folder.mkdir(parents=True, exist_ok=True)
    data = data_name(recipe)
    networks = Networks(run, splits, recipe)
    # By method and stage; rows of Tables 1 and 2 share a folder.
    rows = {(row.method, row.stage): row for row in load_rows(rows_folder(run.out, "2"))}
    written = [_dropped(networks, data, folder)]
    if curves := frontier(rows.values()):
        title = f"{data}: accuracy against patches bought, seed {run.seed}"
        written.append(figures.draw_frontier(curves, title, folder / f"frontier-{data}.png"))
        areas = {name: figures.area(curve) for name, curve in curves.items()}
        facts = {"curves": curves, "between": figures.COMPARED_RANGE, "mean_accuracy": areas}
        _write_json(folder / f"frontier-{data}.json", facts)
    # Fig. 7 shows policies; the other rows choose without one.
    for (method, stage), row in rows.items():
        if (method, stage) in (("patchdrop", "ft2"), ("product", "")):
            written += _policy(networks, row, data, folder)
    if sweeps:
        written += _sweeps(networks, data, folder)
    return written


def report_ablation(run: Run, splits: Splits, recipe: Recipe, out: Path) -> Path:
    """Write the value of each part of the product on validation; return the path of the Markdown."""
    folder = out / "report"
    folder.mkdir(parents=True, exist_ok=True)
    found = measure_ablation(Networks(run, splits, recipe))
    data = data_name(recipe)
    facts = provenance("ablation", recipe, out, {run.seed: []}, run.device)
    path = folder / f"ablation-{data}.md"
    _write_json(path.with_suffix(".json"), {**facts, **found})
    write_atomically(path, _ablation(found, facts, data).encode())
    return path


def _ablation(found: Mapping[str, Any], facts: Mapping[str, Any], data: str) -> str:
    shipped = found["scores"][SHIPPED]["accuracy"]
    gate = found["gate"]
    # Accuracies are stored in 0..1 and printed in %, differences in points.
    lines = [
        f"| {name} | {100 * score['accuracy']:.1f} | {100 * (score['accuracy'] - shipped):+.1f} "
        f"| {score['confidence']:.3f} |"
        for name, score in found["scores"].items()
    ]
    # No difference to the shipped product: prices make S another measure.
    priced = [f"| {name} | {100 * score['accuracy']:.1f} | | |" for name, score in found["prices"].items()]
    return f"""# Value of each part of the product: {data}

`{facts["command"]}`
at commit `{facts["commit"][:12]}`, recipe `{facts["recipe"]}`,
seed {facts["seeds"][0]}, on {facts["hardware"]}.
Accuracy on the {found["images"]} validation images, mean over S = 2 to 6 at equal S,
with one part changed at a time.
The networks were trained without these images. The parts were adopted by figures like these,
which are therefore slightly optimistic.

| variant | accuracy % | against shipped | p(true label) |
|---|---|---|---|
{chr(10).join(lines)}

At equal cost, with prices drawn per patch:

| variant | accuracy % | | |
|---|---|---|---|
{chr(10).join(priced)}

The gate buys nothing where the LR label's confidence is at least {gate["confidence"]:.3f}.
{gate["tiles"]} tiles certify that it loses at most {100 * gate["epsilon"]:g} % of the labels
with probability {1 - gate["delta"]:g}; it closes on {100 * gate["closed"]:.0f} % of them.
"""


def _dropped(networks: Networks, data: str, folder: Path) -> Path:
    """Draw Fig. 1a: HR-CNN, trained on full images, with patches dropped at random."""
    run, test = networks.run, networks.splits.test
    generator = torch.Generator().manual_seed(run.seed)
    # One random order (N, 16) per image: each step drops the patches of the last one and two more.
    order = torch.rand(len(test.labels), PATCHES, generator=generator).argsort(1)
    predictor = served("ft1", networks.streams)  # Ft-1's predictor is the HR stream without the LR stream
    points = []
    for dropped in range(0, PATCHES, 2):
        right = right_on(predictor, test, order >= dropped, run.device)
        points.append((float(dropped), float(right.mean()), ""))  # no label: the axis says it all
    _write_json(folder / f"fig1a-{data}.json", [[x, y] for x, y, _ in points])
    title = f"Fig. 1a on {data}: HR-CNN, seed {run.seed}"
    return figures.draw_points(
        points, title, "patches dropped at random, of 16", folder / f"fig1a-{data}.png"
    )


def _policy(networks: Networks, row: MeasuredRow, data: str, folder: Path) -> list[Path]:
    """Draw Fig. 7 and Fig. 4 of one policy."""
    name = f"{METHODS[row.method]} {STAGE_NAMES[row.stage]}".strip()
    stem = f"{row.method}-{data}"
    test, seed = networks.splits.test, networks.run.seed
    title = f"{name} on {data}, seed {seed}: {100 * row.accuracy:.1f} % at S = {row.mean_patches:.2f}"
    _write_json(
        folder / f"fig7-{stem}.json",
        {
            "by_patches": figures.by_patches(row.right, row.selected),
            "by_patch": row.selected.float().mean(0).tolist(),
        },
    )
    # Spread over the split: folders are sorted by class, so the first ten images would show one class.
    chosen = torch.linspace(0, len(row.right) - 1, GALLERY).long()
    hr, lr = test.pixels(chosen)  # uint8 (10, 3, H, H) and (10, 3, h, h)
    tiles = [
        (
            hr[place].cpu(),  # resident pixels may be on the GPU
            lr[place].cpu(),
            row.selected[index],
            f"{test.classes[int(test.labels[index])]}\n{_outcome(row, int(index))}",
        )
        for place, index in enumerate(chosen.tolist())
    ]
    return [
        figures.draw_policy(row.right, row.selected, title, folder / f"fig7-{stem}.png"),
        figures.draw_gallery(tiles, title, folder / f"fig4-{stem}.png"),
    ]


def _outcome(row: MeasuredRow, index: int) -> str:
    bought = int(row.selected[index].sum())
    # `right` is a share where several draws were made; half of them counts as correct.
    return f"{'correct' if float(row.right[index]) >= 0.5 else 'wrong'}, S = {bought}"


def _sweeps(networks: Networks, data: str, folder: Path) -> list[Path]:
    written, run = [], networks.run
    parts = run, networks.splits, networks.recipe
    for name, points in (("ratio", sweep_ratios(*parts)), ("sigma", sweep_sigmas(*parts))):
        measured = kept(run, f"sweep-{name}", points)
        _write_json(folder / f"fig5-{name}-{data}.json", measured)
        # Labelled with the swept value, because the axes are its effects: S and accuracy.
        labelled = [(p["mean_patches"], p["accuracy"], f"{name} {p[name]:g}") for p in measured]
        title = f"Fig. 5 on {data}: after Ft-2, by {name}, seed {run.seed}"
        path = folder / f"fig5-{name}-{data}.png"
        xlabel = "S, mean number of patches bought of 16"
        written.append(figures.draw_points(labelled, title, xlabel, path, joined=False))
    return written


def _write_json(path: Path, content: Any) -> None:
    # NaN is not JSON, and browsers refuse it: better to fail here.
    write_atomically(path, json.dumps(content, indent=1, allow_nan=False).encode())
