"""`loupe-train table where`: what each order of buying finds, labels and counts, on test sites.

Each seed trains its own policies in OUT/seed<K>. Rows are means over seeds; intervals resample test sites.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.scene_policy import ScenePolicy
from training.data.object_scenes import ObjectScenes
from training.objects.counter import read_patches, train_counter
from training.objects.orders import ORACLE, ORDERS, OURS, RIVALS, buy_per_tile, buy_portfolio
from training.objects.outcome import bootstrap, count_error, found, labels_right
from training.objects.policy import expected_counts, train_scene_policy
from training.objects.recipe import SearchRecipe
from training.objects.tiles import ObjectTiles, tiles_of
from training.run.folder import Run, claimed
from training.run.provenance import git_revision, hardware

PATCHES_BOUGHT = (1, 2, 4, 6, 8)
"""Mean numbers of patches bought per tile, of 16."""

Buy = Callable[[Tensor, int], Tensor]
SPENDING: dict[str, Buy] = {
    "the same for each tile": buy_per_tile,
    "one budget over all tiles": buy_portfolio,
}
"""Ways to spend, by name. A fixed order gives the same choice under either."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A row at one number of patches: sums over tiles that give means and intervals."""

    found: Tensor
    """Objects in bought patches of each tile, float64 (N,): the mean over seeds."""
    right: Tensor
    """1.0 for a right label, float64 (N,): the mean over seeds."""
    error: Tensor
    """Absolute error of the count, float64 (N,): the mean over seeds."""


def run_where(data: ObjectScenes, recipe: SearchRecipe, run: Run) -> ObjectTiles:
    """Train the policies and the counter of one seed, and return the test tiles as they see them.

    ValueError if another process is writing to the folder, or if it holds another run.
    """
    learnt = data.of("train", "validation")
    with claimed(run, recipe):
        policies: list[ScenePolicy] = [
            train_scene_policy(run, f"policy{number}", data, learnt, recipe)
            for number in range(recipe.members)
        ]
        counter = train_counter(run, data, learnt, recipe)
    test = data.of("test")
    readings = [read_patches(counter, scene) for scene in test]
    expected = expected_counts(policies, test)
    return tiles_of(test, expected, readings, learnt, int(data.facts["lr_size"]))


def measure(
    by_seed: Sequence[ObjectTiles], order: str, buy: Buy, patches: int, bins: Sequence[int]
) -> Measured:
    """Measure an order at a mean number of patches per tile, over all seeds."""
    rows = []
    for seed, tiles in enumerate(by_seed):
        bought = buy(ORDERS[order](tiles, seed), patches)
        rows.append((found(tiles, bought), labels_right(tiles, bought, bins), count_error(tiles, bought)))
    parts = [torch.stack(column).mean(0) for column in zip(*rows, strict=True)]
    return Measured(found=parts[0], right=parts[1], error=parts[2])


def report_where(
    data: ObjectScenes, recipe: SearchRecipe, by_seed: dict[int, ObjectTiles], out: Path, device: torch.device
) -> Path:
    """Write OUT/report/where-<recipe>.md and .json; return the path of the Markdown."""
    tiles, bins = list(by_seed.values()), tuple(data.facts["bins"])
    measured = {
        (order, spending): [measure(tiles, order, buy, patches, bins) for patches in PATCHES_BOUGHT]
        for order in ORDERS
        for spending, buy in SPENDING.items()
        if spending.startswith("the same") or order not in RIVALS[:4]
    }
    facts = {
        "command": _command(recipe, list(by_seed)),
        "commit": git_revision(),
        "seeds": list(by_seed),
        "hardware": hardware(device),
        "data": dict(data.facts),
        "data_digest": data.digest,
        "test_sites": len(set(tiles[0].sites)),
        "test_tiles": len(tiles[0]),
        "test_objects": int(tiles[0].counts.sum()),
    }
    folder = out / "report"
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_row(name, cells, tiles[0]) for name, cells in measured.items()]
    gains = _gains(measured, tiles[0])
    document = {**facts, "rows": rows, "gains": gains}
    (folder / f"where-{recipe.name}.json").write_text(json.dumps(document, indent=1) + "\n")
    path = folder / f"where-{recipe.name}.md"
    path.write_text(_markdown(facts, rows, gains))
    return path


def _command(recipe: SearchRecipe, seeds: list[int]) -> str:
    chosen = "".join(f" --seed {seed}" for seed in seeds)
    return f"loupe-train table where --recipe {recipe.name} --data DIR --out OUT{chosen}"


def _row(name: tuple[str, str], cells: Sequence[Measured], tiles: ObjectTiles) -> dict[str, Any]:
    total = float(tiles.counts.sum())
    return {
        "order": name[0],
        "spending": name[1],
        "found": [round(float(cell.found.sum()) / total, 4) for cell in cells],
        "right": [round(float(cell.right.mean()), 4) for cell in cells],
        "count_error": [round(float(cell.error.mean()), 3) for cell in cells],
    }


def _gains(measured: dict[tuple[str, str], list[Measured]], tiles: ObjectTiles) -> list[dict[str, Any]]:
    """Compare ours with the best rival of the same spending at each number of patches, by test sites."""
    total, one = tiles.counts.sum(1), torch.ones(len(tiles), dtype=torch.float64)
    gains = []
    for spending in SPENDING:
        # A fixed order is a rival under either spending.
        rivals = [name for name in measured if name[0] in RIVALS]
        for at, patches in enumerate(PATCHES_BOUGHT):
            ours = measured[(OURS, spending)][at]
            for what, size in (("found", total), ("right", one)):
                best = max(rivals, key=lambda name: float(getattr(measured[name][at], what).sum()))
                gain = getattr(ours, what) - getattr(measured[best][at], what)
                low, high = bootstrap(tiles.sites, gain, size)
                gains.append(
                    {
                        "spending": spending,
                        "patches": patches,
                        "what": what,
                        "rival": f"{best[0]}, {best[1]}",
                        "gain": round(float(gain.sum() / size.sum()), 4),
                        "low": round(low, 4),
                        "high": round(high, 4),
                    }
                )
    return gains


def _markdown(facts: dict[str, Any], rows: list[dict[str, Any]], gains: list[dict[str, Any]]) -> str:
    head = "| order | spending | " + " | ".join(f"S = {patches}" for patches in PATCHES_BOUGHT) + " |"
    line = "|---|---|" + "---|" * len(PATCHES_BOUGHT)
    parts = [
        "# Where to look: objects, labels and counts by what is bought",
        f"`{facts['command']}`\nat commit `{str(facts['commit'])[:12]}`, on {facts['hardware']}; "
        f"{facts['test_tiles']:,} tiles of {facts['data']['tile_m']:g} m with "
        f"{facts['test_objects']:,} objects at {facts['test_sites']} test sites; "
        f"means over seeds {', '.join(map(str, facts['seeds']))}.\n"
        "S is the mean number of patches bought of 16. Bought patches are read by the counter.",
    ]
    titles = {
        "found": ("Objects in bought patches, %", 100, 1),
        "right": ("Tiles with the right class by count, %", 100, 1),
        "count_error": ("Mean absolute error of a tile's count", 1, 2),
    }
    for key, (title, scale, digits) in titles.items():
        lines = [
            f"| {row['order']} | {row['spending']} | "
            + " | ".join(f"{scale * value:.{digits}f}" for value in row[key])
            + " |"
            for row in rows
            if not (row["order"] == ORACLE and key != "found")
        ]
        parts.append("\n".join([f"## {title}\n", head, line, *lines]))
    lines = [
        f"| {gain['what']} | {gain['spending']} | {gain['patches']} | {gain['rival']} | "
        f"{100 * gain['gain']:+.1f} [{100 * gain['low']:+.1f}, {100 * gain['high']:+.1f}] |"
        for gain in gains
    ]
    intro = "Points, with the 95 % interval of a bootstrap over test sites. Rivals use no network."
    gain_head = "| measure | spending | S | best rival | gain |\n|---|---|---|---|---|"
    parts.append("\n".join([f"## Gain over the best rival\n\n{intro}\n", gain_head, *lines]))
    return "\n\n".join(parts) + "\n"
