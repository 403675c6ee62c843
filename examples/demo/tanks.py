"""The tank scene: a SPOT scene of a test site, read from the archive of the data folder, and its true tanks.

The archive's imagery is CC BY-NC-SA 4.0. It is never in the repository, so the scene is made in a temporary
folder each time.
"""

import csv
import io
import tarfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rasterio.transform import Affine

from examples.demo.mosaic import geotiff
from training.data.boxes import read_objects
from training.data.cut_scenes import cut_folder
from training.data.object_scenes import ObjectScene, read_object_scenes
from training.data.tiling import Cut

ARCHIVE = "airbus-tanks.tar"
BUNDLE = "tanks"
"""Name of the bundle that counts tanks."""
CARD = "models/bundles/tanks/README.md"
PIXEL_M = 1.6
CUT = Cut(tile_m=768, lr_m=10, bins=(1, 10), seed=0, licence="CC BY-NC-SA 4.0")
"""How `loupe-train data tile` cuts the archive: the demo plans the pixels that were measured."""
# The archive gives no position. This one is in the sea off Margate, so that nobody takes it for the place.
CRS, LEFT, TOP = "EPSG:32631", 400_000, 5_700_000
BOXES, SITES = "boxes.csv", "sites.csv"


@dataclass(frozen=True, kw_only=True)
class TankScene:
    """A scene whose true number of tanks is known in every patch.

    `lr` is the GeoTIFF to plan; `hr` shows every patch, as a provider delivers it.
    """

    name: str
    lr: Path
    hr: Path
    counts: NDArray[np.int64]
    """Tanks by row and column of patches (4 * rows, 4 * columns), north up: annotated boxes by centre."""

    @property
    def words(self) -> str:
        """Describe the imagery to the reader."""
        return (
            f"SPOT scene {self.name} (Airbus DS, CC BY-NC-SA 4.0: not for sale), of the test split: the "
            f"bundle {BUNDLE} was not trained on this site. It is the test scene with the median number of "
            f"tanks; {self.counts.sum():,} are annotated. Its position is INVENTED. Its low-resolution "
            "pixels (LR, 10.1 m) are SIMULATED from the high-resolution pixels (HR, 1.6 m), with the blur, "
            "shift, colour, haze and noise of another sensor."
        )


def read_tank_scene(archive: Path, folder: Path) -> TankScene:
    """Cut the scene of the demo from the archive into files in `folder`.

    Raise KeyError if the archive lacks a file, and DataError if the scene cannot be cut.
    """
    with tarfile.open(archive) as tar:
        members = {PurePosixPath(one.name).name: one for one in tar.getmembers() if one.isfile()}
        tables = {name: _read(tar, members[name]) for name in (BOXES, SITES)}
        name = choose_scene(tables[BOXES].decode(), tables[SITES].decode())
        picture = next(_read(tar, one) for file, one in members.items() if Path(file).stem == name)
    scenes = folder / "scenes"
    scenes.mkdir(parents=True)
    for table, content in tables.items():
        (folder / table).write_bytes(content)
    (scenes / f"{name}.tif").write_bytes(_placed(picture))
    cut_folder(scenes, read_objects(folder / BOXES), CUT, folder / "cut", sites=folder / SITES)
    (scene,) = read_object_scenes(folder / "cut").scenes
    return described(scene)


def choose_scene(boxes: str, sites: str) -> str:
    """Return the test scene with the median number of boxes, without looking at any result."""
    count = Counter(row["scene"] for row in csv.DictReader(io.StringIO(boxes)))
    tested = [row["scene"] for row in csv.DictReader(io.StringIO(sites)) if row["split"] == "test"]
    return sorted(tested, key=lambda scene: (count[scene], scene))[len(tested) // 2]


def described(scene: ObjectScene) -> TankScene:
    """Return a scene of a cut data set as the demo needs it."""
    files = {kind: scene.folder / kind / f"{scene.name}.tif" for kind in ("lr", "hr")}
    return TankScene(name=scene.name, counts=scene.counts, **files)


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return b"" if file is None else file.read()  # None for folders, which are not listed


def _placed(picture: bytes) -> bytes:
    """Return a picture as a GeoTIFF at the invented position."""
    with Image.open(io.BytesIO(picture)) as image:
        pixels = np.asarray(image.convert("RGB"))
    return geotiff(pixels, CRS, Affine(PIXEL_M, 0, LEFT, 0, -PIXEL_M, TOP))
