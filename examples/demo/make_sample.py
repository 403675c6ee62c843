"""`python -m examples.demo.make_sample`: make the demo's sample from the archive of UC Merced.

The sample is twelve photographs of the test split, one for each of twelve classes, as the tiles of one scene.
"""

import csv
import io
import tarfile
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from examples.demo.mosaic import TILE_PX, Mosaic, Pixels, lay_out
from examples.demo.scenes import HR_FILE, LR_FILE, SAMPLE, TRUTH_COLUMNS, TRUTH_FILE

SEED = 1
COLUMNS, ROWS = 4, 3
LR_PX = 8
TILE_M = TILE_PX * 0.3048
"""Edge of a tile in metres: the data set states a resolution of one foot."""
# The photographs have no position. This one is in the Pacific off Los Angeles, so that nobody takes it for
# the place that a photograph shows.
CRS, LEFT, TOP = "EPSG:32611", 400_000, 3_700_000
# Test photographs that show a neighbouring crop of the site of a training photograph.
SEEN_IN_TRAINING = {"storagetanks11", "storagetanks96", "runway77", "overpass09", "beach13"}
TAGS = {
    "TIFFTAG_IMAGEDESCRIPTION": "Photographs of UC Merced Land Use side by side. The position is INVENTED.",
    "TIFFTAG_COPYRIGHT": "Public domain: USGS National Map Urban Area Imagery",
}


def main(
    archive: Annotated[Path, typer.Argument(help="uc-merced.tar, with <train|test>/<class>/<file>.jpg.")],
    out: Annotated[
        Path, typer.Option(help="Folder to write the scene, the mosaic and the truth to.")
    ] = SAMPLE,
) -> None:
    """Draw twelve test photographs with a fixed seed, and write the demo's sample."""
    files = make_sample(archive)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)
        typer.echo(f"Wrote {out / name}, {len(content):,} bytes.")


def make_sample(archive: Path) -> dict[str, bytes]:
    """Return the files of the sample by name. The same archive always gives the same pixels and truth."""
    with tarfile.open(archive) as tar:
        chosen = choose_photographs([name for name in tar.getnames() if name.endswith(".jpg")])
        tiles = [_read_tile(tar, name) for name in chosen]
    mosaic = Mosaic(lay_out(tiles, COLUMNS), TILE_M, CRS, LEFT, TOP)
    return {
        LR_FILE: mosaic.scene(LR_PX, TAGS),
        HR_FILE: mosaic.picture(TAGS),
        TRUTH_FILE: _truth(chosen).encode(),
    }


def choose_photographs(names: list[str]) -> list[str]:
    """Draw twelve classes and a test photograph of each, without looking at any result."""
    by_class: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        path = PurePosixPath(name)
        if path.parts[-3] == "test" and path.stem not in SEEN_IN_TRAINING:
            by_class[path.parent.name].append(name)
    draw = np.random.default_rng(SEED)
    classes = draw.permutation(sorted(by_class))[: COLUMNS * ROWS]
    return [by_class[name][draw.integers(len(by_class[name]))] for name in classes]


def _read_tile(tar: tarfile.TarFile, name: str) -> Pixels:
    file = tar.extractfile(name)
    if file is None:
        raise typer.BadParameter(f"{name} in the archive is not a file. Download the archive again.")
    with Image.open(file) as image:  # 44 of the 2,100 photographs differ from 256 x 256 by a few pixels
        return np.asarray(image.convert("RGB").resize((TILE_PX, TILE_PX), Image.Resampling.BICUBIC))


def _truth(chosen: list[str]) -> str:
    """Return a CSV with the class and the photograph of each tile, row by row from the north-west."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TRUTH_COLUMNS)
    for tile, name in enumerate(chosen):
        path = PurePosixPath(name)
        writer.writerow((tile, path.parent.name, "/".join(path.parts[-3:])))
    return text.getvalue()


if __name__ == "__main__":
    typer.run(main)
