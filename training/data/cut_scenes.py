"""The data set of scenes with objects, as `loupe-train data tile` writes it.

The folder holds one LR and one HR GeoTIFF per scene, cut to whole tiles; `scenes.csv` with site and split of
each scene; `objects.csv` with centre and size of each object; `pairs.csv` with a line per tile, in the layout
`pairs`; and `dataset.json` with the choices that made it.
"""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from affine import Affine
from rasterio.enums import Resampling
from rasterio.warp import reproject
from tqdm import tqdm

from models.grid import GRID
from models.symmetry import SYMMETRIES, dihedral_patches
from training.data.boxes import Objects, counts_of
from training.data.folders import unpacked
from training.data.footprints import LOCAL_CRS, SceneFile, list_scenes, read_raster
from training.data.images import DataError
from training.data.object_scenes import FACTS, Place, check_sites
from training.data.sensor import NO_GAP, Pixels, draw_gap, simulate_lr
from training.data.sites import place_scenes
from training.data.tiling import Cut, CutScene, cut_scene


def cut_folder(
    scenes: Path,
    objects: Objects,
    cut: Cut,
    out: Path,
    *,
    pixel_m: float | None = None,
    sites: Path | None = None,
    lr: Path | None = None,
) -> dict[str, Any]:
    """Cut a folder of scenes, or a tar of it, into a data set; return the content of its `dataset.json`.

    `sites` is a CSV of sites and splits, `lr` a folder of LR files named like the scenes. Raise DataError
    naming what cannot be used.
    """
    with unpacked(scenes) as folder:
        found = list_scenes(folder, pixel_m)
        places = place_scenes(found, sites, cut.seed)
        lr_files = {file.stem: file for file in sorted(lr.iterdir())} if lr else None
        return write_object_scenes(found, objects, places, cut, out, lr_files)


def write_object_scenes(
    scenes: Sequence[SceneFile],
    objects: Objects,
    places: Mapping[str, Place],
    cut: Cut,
    out: Path,
    lr_files: Mapping[str, Path] | None = None,
) -> dict[str, Any]:
    """Cut scenes into a data set in `out`, and return the content of its `dataset.json`.

    LR pixels come from the georeferenced files `lr_files`, by scene, or else are simulated. Raise DataError
    naming a scene that cannot be used.
    """
    check_sites(places.values())
    if lr_files and (missing := sorted({scene.name for scene in scenes} - lr_files.keys())):
        raise DataError(f"There is no LR file for these scenes: {', '.join(missing[:20])}.")
    # One HR size for all, or the networks would see objects at several scales.
    hr_size = cut.hr_size(float(np.median([scene.pixel_m for scene in scenes])))
    for name in ("lr", "hr"):
        (out / name).mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[dict[str, Any]]] = {"scenes": [], "pairs": [], "objects": []}
    # Without a terminal there is no bar.
    for scene in tqdm(scenes, desc="cutting", unit="scene", mininterval=1.0, leave=False, disable=None):
        made = cut_scene(scene, objects, cut, hr_size)
        lr = read_lr(lr_files[scene.name], made, cut.lr_size) if lr_files else _simulated(made, cut)
        _write_raster(out / "hr" / f"{made.name}.tif", made.hr, made, 1)
        _write_raster(out / "lr" / f"{made.name}.tif", lr, made, hr_size / cut.lr_size)
        for name, lines in _lines(made, places[made.name], cut).items():
            tables[name] += lines
    for name, lines in tables.items():
        _write_csv(out / f"{name}.csv", lines)
    facts = _facts(cut, hr_size, "own" if lr_files else "simulated", tables)
    (out / FACTS).write_text(json.dumps(facts, indent=1) + "\n")
    return facts


def _facts(
    cut: Cut, hr_size: int, lr: str, tables: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, Any]:
    return {
        "format": 1,
        **asdict(cut),
        "lr": lr,
        "classes": cut.classes,
        "lr_size": cut.lr_size,
        "hr_size": hr_size,
        "lr_gsd_m": cut.tile_m / cut.lr_size,
        "hr_gsd_m": cut.tile_m / hr_size,
        "scenes": len(tables["scenes"]),
        "sites": len({line["site"] for line in tables["scenes"]}),
        "tiles": len(tables["pairs"]),
        "objects": len(tables["objects"]),
    }


def read_lr(file: Path, made: CutScene, lr_size: int) -> Pixels:
    """Read a user's own LR raster on the LR lattice of a cut scene. Raise DataError if it covers less."""
    if made.crs == LOCAL_CRS:
        raise DataError(f"{made.name} is not georeferenced, so {file} cannot be laid over it.")
    values, transform, crs = read_raster(file)
    shape = (3, made.rows * lr_size, made.columns * lr_size)
    target = np.zeros(shape, np.uint8)
    covered = np.zeros(shape[1:], np.uint8)
    placed = made.transform @ Affine.scale(made.hr.shape[1] / shape[1])
    for source, result in ((values, target), (np.ones(values.shape[1:], np.uint8), covered)):
        reproject(
            source,
            result,
            src_transform=transform,
            src_crs=crs,
            dst_transform=placed,
            dst_crs=made.crs,
            resampling=Resampling.bilinear,
        )
    if covered.mean() < 0.99:
        raise DataError(f"{file} covers only {covered.mean():.0%} of the scene {made.name}.")
    return target


def _simulated(made: CutScene, cut: Cut) -> Pixels:
    # By name, so that a scene looks the same whatever else is cut.
    random = _random(cut.seed, made.name)
    gap = draw_gap(random) if cut.sensor_gap else NO_GAP
    return simulate_lr(made.hr, made.rows * cut.lr_size, made.columns * cut.lr_size, gap, random)


def _random(seed: int, name: str) -> np.random.Generator:
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8])])


def _lines(made: CutScene, place: Place, cut: Cut) -> dict[str, list[dict[str, Any]]]:
    """Return the lines of a scene in the three tables."""
    lr, hr = f"lr/{made.name}.tif", f"hr/{made.name}.tif"
    counts = counts_of(made.centres, made.columns, made.rows)
    random = _random(cut.seed + 1, made.name)
    pairs = []
    for row in range(made.rows):
        for column in range(made.columns):
            grid = counts[GRID * row : GRID * (row + 1), GRID * column : GRID * (column + 1)]
            turn = int(random.integers(SYMMETRIES))
            turned = dihedral_patches(torch.from_numpy(grid.T.reshape(-1).copy()), turn)
            pairs.append(
                {
                    "lr": lr,
                    "hr": hr,
                    "label": cut.class_of(int(grid.sum())),
                    "split": "test" if place.split == "test" else "train",
                    "site": place.site,
                    "left_m": column * cut.tile_m,
                    "top_m": row * cut.tile_m,
                    "side_m": cut.tile_m,
                    "turn": turn,
                    "counts": " ".join(str(count) for count in turned.tolist()),
                }
            )
    scene = {
        "scene": made.name,
        "site": place.site,
        "split": place.split,
        "fold": place.fold,
        "columns": made.columns,
        "rows": made.rows,
    }
    boxes = (np.hstack([made.centres, made.sizes]) * cut.tile_m).round(2).tolist()
    columns = ("x_m", "y_m", "width_m", "height_m")
    objects = [{"scene": made.name, **dict(zip(columns, box, strict=True))} for box in boxes]
    return {"scenes": [scene], "pairs": pairs, "objects": objects}


def _write_csv(file: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    with file.open("w", newline="") as content:
        writer = csv.DictWriter(content, list(lines[0]) if lines else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def _write_raster(file: Path, pixels: Pixels, made: CutScene, scale: float) -> None:
    with rasterio.open(
        file,
        "w",
        driver="GTiff",
        count=3,
        height=pixels.shape[1],
        width=pixels.shape[2],
        dtype="uint8",
        crs=made.crs,
        transform=made.transform @ Affine.scale(scale),
        photometric="RGB",
        compress="deflate",
        predictor=2,
        tiled=True,
    ) as raster:
        raster.write(pixels)
