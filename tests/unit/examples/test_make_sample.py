"""The demo's sample: how it is drawn, and that the committed files are what the command makes."""

import hashlib
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from rasterio.io import MemoryFile

from examples.demo.make_sample import choose_photographs, make_sample
from examples.demo.mosaic import TILE_PX, Mosaic, Pixels
from examples.demo.scenes import HR_FILE, LR_FILE, SAMPLE, TRUTH_FILE, demo_scenes, read_truth
from tests.support.imagery import CLASSES, make_uc_merced

ROOT = Path(__file__).parent.parent.parent.parent
# Read at import, because a fixture of the tests hides the variables of this machine.
UC_MERCED = Path(os.environ.get("LOUPE_DATA", ROOT.parent / "shared" / "data")) / "uc-merced.tar"
STARTER = ROOT / "models" / "bundles" / "starter" / "manifest.json"
LARGEST = 3_000_000
"""Most bytes of all files of the sample together."""


def read(geotiff: bytes) -> tuple[Pixels, tuple[float, float, float, float], str]:
    with MemoryFile(geotiff) as memory, memory.open() as file:
        return file.read(), tuple(file.bounds), str(file.crs)


def test_scene_averages_each_tile_to_the_requested_pixels() -> None:
    pixels = np.zeros((TILE_PX, 2 * TILE_PX, 3), np.uint8)
    pixels[:32, :32] = 64
    pixels[:16, 32:64] = 100

    found, bounds, crs = read(Mosaic(pixels, 80.0, "EPSG:32611", 400_000, 3_700_000).scene(8))

    assert found.shape == (3, 8, 16)
    assert found[0, 0, :3].tolist() == [64, 50, 0]
    assert (bounds, crs) == ((400_000, 3_699_920, 400_160, 3_700_000), "EPSG:32611")


def test_make_sample_draws_one_test_photograph_of_each_of_twelve_classes(tmp_path: Path) -> None:
    files = make_sample(make_uc_merced(tmp_path))
    (tmp_path / TRUTH_FILE).write_bytes(files[TRUTH_FILE])
    truth = read_truth(tmp_path / TRUTH_FILE)
    hr, hr_bounds, crs = read(files[HR_FILE])
    lr, lr_bounds, _ = read(files[LR_FILE])

    assert len(set(truth)) == 12
    assert hr.shape == (3, 768, 1024)
    assert lr.shape == (3, 24, 32)
    assert lr_bounds == pytest.approx(hr_bounds)
    assert crs == "EPSG:32611"
    # The grey of a test photograph is ten times its class; a training photograph is white.
    greys = hr[0, 9::TILE_PX, 9::TILE_PX].flatten().tolist()
    assert greys == [CLASSES.index(name) * 10 for name in truth] == lr[0, 1::8, 1::8].flatten().tolist()


def test_make_sample_makes_the_same_bytes_every_time(tmp_path: Path) -> None:
    archive = make_uc_merced(tmp_path)

    assert make_sample(archive) == make_sample(archive)


def test_choose_photographs_skips_those_of_a_training_site() -> None:
    names = ["uc-merced/test/beach/beach13.jpg", "uc-merced/test/river/river01.jpg"]

    assert choose_photographs(names) == ["uc-merced/test/river/river01.jpg"]


def test_committed_sample_is_small_and_its_files_show_the_same_ground() -> None:
    (scene,) = demo_scenes()
    hr, hr_bounds, hr_crs = read(scene.hr.read_bytes())
    lr, lr_bounds, lr_crs = read(scene.lr.read_bytes())

    assert sum(path.stat().st_size for path in SAMPLE.iterdir()) <= LARGEST
    assert lr_bounds == pytest.approx(hr_bounds)
    assert lr_crs == hr_crs
    assert hr.shape == (3, 768, 1024)
    averaged = hr.reshape(3, 24, 32, 32, 32).mean((2, 4))
    np.testing.assert_allclose(lr, averaged, atol=1)  # Pillow rounds after each axis
    assert len(set(scene.truth)) == 12
    assert set(scene.truth) <= set(json.loads(STARTER.read_text())["classes"])


@pytest.mark.skipif(not UC_MERCED.is_file(), reason=f"NO ARCHIVE {UC_MERCED}: the sample was not made again")
def test_committed_sample_is_what_the_command_makes_from_photographs_never_trained_on() -> None:
    made = make_sample(UC_MERCED)

    for name in (LR_FILE, HR_FILE):  # pixels, because another GDAL may compress otherwise
        np.testing.assert_array_equal(read(made[name])[0], read((SAMPLE / name).read_bytes())[0])
    assert made[TRUTH_FILE] == (SAMPLE / TRUTH_FILE).read_bytes()

    train = train_files()
    lines = "".join(f"{label} {digest}\n" for label, digest in train)
    assert hashlib.sha256(lines.encode()).hexdigest() == json.loads(STARTER.read_text())["data_digest"]
    assert not {digest for _, digest in train} & sample_digests()


def train_files() -> list[tuple[int, str]]:
    """Return the label and the digest of each training photograph, in the order of the data set."""
    with tarfile.open(UC_MERCED) as tar:
        names = sorted(name for name in tar.getnames() if "/train/" in name and name.endswith(".jpg"))
        classes = sorted({Path(name).parent.name for name in names})
        return [(classes.index(Path(name).parent.name), digest_in(tar, name)) for name in names]


def sample_digests() -> set[str]:
    photographs = [line.rpartition(",")[2] for line in (SAMPLE / TRUTH_FILE).read_text().splitlines()[1:]]
    with tarfile.open(UC_MERCED) as tar:
        return {digest_in(tar, f"uc-merced/{name}") for name in photographs}


def digest_in(tar: tarfile.TarFile, name: str) -> str:
    file = tar.extractfile(name)
    assert file is not None
    return hashlib.sha256(file.read()).hexdigest()
