"""The report of `loupe-train table where` in OUT/report: Markdown, JSON and pictures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.grid import GRID
from training.data.object_scenes import ObjectScene, ObjectScenes
from training.objects.maps import Mask, masks_of
from training.objects.outcome import share_found
from training.objects.recipe import SearchRecipe
from training.objects.tiles import ObjectTiles
from training.run.checkpoints import write_atomically
from training.run.provenance import git_revision, hardware
from training.where.bills import Terms, whole_usd
from training.where.curves import row_curve, shaped_curve, total_usd
from training.where.evidence import BILLED, SHAPED, bills, calibration, controls, matched, presence, row_of
from training.where.figures import Panel, Pictured, draw_calibration, draw_dollars, draw_scenes
from training.where.orders import ORACLE, OURS
from training.where.rivals import Rival, compare, read_rivals
from training.where.rows import LABEL_ORACLE, OURS_FOR_LABELS, PORTFOLIO, Seen, table_rows
from training.where.table import PATCHES_BOUGHT, as_lines, gains, measure_table
from training.where.text import where_markdown

DRAWN = ((1, 0.0), (1, 1.0))
"""Factor of the patches and minimum area in km2 of each panel of the curves."""
SHOWN_SCENES = 4
SHOWN_PATCHES = 4.0
"""Scenes that are drawn, and the mean number of patches per tile of the choices drawn over them."""
SPARED = ("Presence from LR",)
"""Orders left out of the curves, which another one hides."""
LEADING = (SHAPED, f"{OURS}, {PORTFOLIO}", f"{OURS_FOR_LABELS}, {PORTFOLIO}")
"""Our rows in the picture that shows few of them."""


def report_where(
    data: ObjectScenes,
    recipe: SearchRecipe,
    by_seed: Mapping[int, Seen],
    folds: Sequence[str],
    out: Path,
    device: torch.device,
    paper: Path | None = None,
    *,
    perfect: bool = False,
) -> Path:
    """Write OUT/report/where-<recipe>.md, .json and .png files; return the path of the Markdown.

    `paper` is a folder in which `loupe-train table 1` measured rows on the same tiles. With `perfect`,
    `by_seed` holds readings without errors, and nothing is said about a counter.
    """
    seen, bins = list(by_seed.values()), tuple(data.facts["bins"])
    tiles = seen[0].tiles[1]
    folder = out / "report"
    folder.mkdir(parents=True, exist_ok=True)
    patch_m = float(data.facts["tile_m"]) / GRID
    rivals = [] if paper is None else read_rivals(paper, len(tiles))
    calibrated = calibration(seen, counted=not perfect)
    table = measure_table(seen, bins)
    without_errors = table if perfect else measure_table([one.read_perfectly() for one in seen], bins)
    document = {
        "command": _command(recipe, list(by_seed), folds, paper, perfect=perfect),
        "seeds": list(by_seed),
        "folds": list(folds),
        "reading": "perfect" if perfect else "counter",
        **_facts(data, tiles, device),
        "patches_bought": PATCHES_BOUGHT,
        "rows": as_lines(table, list(without_errors.values()), tiles),
        "matched": matched(seen, bins, counted=not perfect),
        "presence_auc": presence(seen),
        "gains": gains(table, tiles),
        "rivals": compare(rivals, seen, row_of(OURS, PORTFOLIO, bins), bins),
        "bills": bills(seen, patch_m, bins),
        "controls": controls(seen, bins),
        "calibration": calibrated,
    }
    stem = folder / f"where-{recipe.name}"
    panels = _panels(seen, rivals, patch_m, bins)
    pictures = _draw(panels, _pictured(data, seen[0], rivals, bins), calibrated, stem)
    path = stem.with_suffix(".md")
    write_atomically(path.with_suffix(".json"), (json.dumps(document, indent=1) + "\n").encode())
    text = where_markdown(document, {caption: file.name for caption, file in pictures.items()})
    write_atomically(path, text.encode())
    return path


def _draw(
    panels: Sequence[Panel],
    scenes: Sequence[Pictured],
    calibrated: Mapping[str, Mapping[str, Any]],
    stem: Path,
) -> dict[str, Path]:
    """Draw all pictures beside `stem`; return their files by caption."""

    def file(name: str) -> Path:
        return stem.with_name(f"{stem.name}-{name}.png")

    last = panels[-1]
    return {
        "Objects and labels against dollars": draw_dollars(panels, file("dollars")),
        f"{last.title}, in short": draw_dollars([_in_short(last)], file("short"), few=True),
        f"Bought patches at S = {SHOWN_PATCHES:g}, and the true objects": draw_scenes(scenes, file("scenes")),
        "Predicted and true counts": draw_calibration(calibrated, file("calibration")),
    }


def _facts(data: ObjectScenes, tiles: ObjectTiles, device: torch.device) -> dict[str, Any]:
    """Return what was measured on what."""
    return {
        "commit": git_revision(),
        "hardware": hardware(device),
        "data": dict(data.facts),
        "data_digest": data.digest,
        "test_sites": len(set(tiles.sites)),
        "test_tiles": len(tiles),
        "test_objects": int(tiles.counts.sum()),
    }


def _command(
    recipe: SearchRecipe, seeds: Sequence[int], folds: Sequence[str], paper: Path | None, *, perfect: bool
) -> str:
    """Return the command of the report, without paths of this machine."""
    chosen = "".join(f" --seed {seed}" for seed in seeds) + "".join(f" --fold {fold}" for fold in folds)
    beside = ("" if paper is None else " --paper PAPER") + (" --perfect-reading" if perfect else "")
    return f"loupe-train table where --recipe {recipe.name} --data DIR --out OUT{chosen}{beside}"


def _panels(
    seen: Sequence[Seen], rivals: Sequence[Rival], patch_m: float, bins: Sequence[int]
) -> list[Panel]:
    """Measure the curves of each of DRAWN; the paper's methods choose among the data set's own patches."""
    panels = []
    hidden = (ORACLE, LABEL_ORACLE, *SPARED)
    for factor, minimum in DRAWN:
        if not len(seen[0].tiles[factor]):
            continue  # no scene holds a tile of such patches
        terms = Terms(patch_km2=(patch_m / 1000) ** 2, minimum_km2=minimum)
        rows = [row for row in table_rows(bins) if row.order not in hidden]
        rows.sort(key=lambda row: not row.order.startswith("Loupe"))  # ours first in the legend
        curves = [row_curve(seen, row, factor, terms, bins) for row in rows]
        if minimum:
            curves.append(shaped_curve(SHAPED, seen, factor, terms, bins))
        maps = seen[0].maps
        whole = whole_usd([np.ones(one.shape, np.bool_) for one in maps], terms)
        sold = f"a minimum of {minimum:g} km2 per polygon" if minimum else "no minimum"
        panels.append(
            Panel(
                title=f"Patches of {patch_m * factor:g} m, {sold}",
                curves=curves,
                everything_usd=float(whole.sum()),
                points=_points(seen, rivals, terms) if factor == 1 else {},
            )
        )
    return panels


def _in_short(panel: Panel) -> Panel:
    """Leave our other rows out of a panel; every rival stays."""
    kept = [one for one in panel.curves if one.name in LEADING or not one.name.startswith("Loupe")]
    return replace(panel, curves=sorted(kept, key=lambda one: one.name not in LEADING))


def _points(
    seen: Sequence[Seen], rivals: Sequence[Rival], terms: Terms
) -> dict[str, tuple[float, float, float]]:
    """Return bill, objects found and right labels of the paper's methods."""
    maps, tiles = seen[0].maps, seen[0].tiles[1]
    return {
        rival.name: (
            total_usd([masks_of(maps, row.selected) for row in rival.rows], terms),
            sum(share_found(tiles, row.selected) for row in rival.rows) / len(rival.rows),
            float(rival.right.mean()),
        )
        for rival in rivals
    }


def _pictured(data: ObjectScenes, seen: Seen, rivals: Sequence[Rival], bins: Sequence[int]) -> list[Pictured]:
    """Lay the choices of the first seed over some scenes, from few objects to many."""
    chosen: dict[str, list[Mask]] = {}
    for order, spending in BILLED:
        bought = row_of(order, spending, bins).choose(seen.tiles[1], 0, SHOWN_PATCHES)
        chosen[f"{order},\n{spending}"] = masks_of(seen.maps, bought)
    if rivals:
        last = rivals[-1]
        chosen[f"{last.name}, S = {last.patches:.1f}"] = masks_of(seen.maps, last.rows[0].selected)
    objects = np.array([float(one.layers["counts"].sum()) for one in seen.maps])
    ranked = np.flatnonzero(objects)[np.argsort(objects[objects > 0], kind="stable")]
    shown = ranked[np.unique(np.linspace(0, len(ranked) - 1, SHOWN_SCENES).round().astype(int))]
    by_name = {scene.name: scene for scene in data.scenes}
    return [
        _scene(by_name[seen.maps[at].name], {name: masks[at] for name, masks in chosen.items()})
        for at in shown.tolist()
    ]


def _scene(scene: ObjectScene, masks: Mapping[str, Mask]) -> Pictured:
    return Pictured(
        title=f"site {scene.site}",
        lr=scene.lr().permute(1, 2, 0).numpy(),  # (3, H, W) -> (H, W, 3)
        centres=scene.centres / (scene.columns, scene.rows),
        masks=masks,
    )
