"""Files in the forms that archives and providers send, written by GDAL's own drivers.

Run as `python -m tests.support.forms FOLDER`, in a process of its own: the tests' GDAL is locked to GeoTIFF.
Names and layouts are those of the products; pixels are the landscape of `tests.support.landscape`.
"""

import sys
from pathlib import Path

import numpy as np
from affine import Affine

from tests.support.form_files import pack, write
from tests.support.landscape import SIDE_M, TOP, WEST, digital, reflectance, shown
from tests.support.provider_forms import write_maxar, write_planet, write_skysat, write_up42

COLOURS = {"B02": 2, "B03": 1, "B04": 0, "B08": 3}  # band of Sentinel-2, its place in `reflectance`


def sentinel2_bands(folder: Path, suffix: str) -> None:
    """Write the 10 m bands of a granule as JPEG 2000, offset 1000, on twice the landscape's extent."""
    values = digital(reflectance(24), offset=1000)
    for name, number in COLOURS.items():
        pixels = np.full((48, 48), 1500, np.uint16)
        pixels[:24, :24] = values[number]
        write(
            folder / f"T33UUU_20240601T101559_{name}{suffix}.jp2", pixels, 10,
            driver="JP2OpenJPEG", QUALITY=100, REVERSIBLE="YES", NBITS=15,
        )  # fmt: skip


def write_sentinel2(folder: Path) -> None:
    """Write a Level-2A and a Level-1C product as SAFE folders of processing baseline 05.10."""
    for level, element in (("L2A", "BOA_ADD_OFFSET"), ("L1C", "RADIO_ADD_OFFSET")):
        product = folder / f"S2B_MSI{level}_20240601T101559_N0510_R065_T33UUU_20240601T120000.SAFE"
        images = product / "GRANULE" / f"{level}_T33UUU_A037812_20240601T101600" / "IMG_DATA"
        sentinel2_bands(images / "R10m" if level == "L2A" else images, "_10m" if level == "L2A" else "")
        offsets = "".join(f'<{element} band_id="{band}">-1000</{element}>\n' for band in range(13))
        (product / f"MTD_MSI{level}.xml").write_text(
            f"<PROCESSING_BASELINE>05.10</PROCESSING_BASELINE>\n{offsets}"
        )


def write_copernicus_browser(folder: Path) -> None:
    """Write analytical downloads of the raw bands in 32, 16 and 8 bit, and of the true-colour layer."""
    stem = "2024-06-01-00:00_2024-06-01-23:59_Sentinel-2_L2A_"
    depths: tuple[tuple[str, float, str], ...] = (
        ("32", 1, "float32"), ("16", 65_535, "uint16"), ("8", 255, "uint8")
    )  # fmt: skip
    for bits, gain, dtype in depths:
        raw = reflectance(24) * gain
        values = (raw if dtype == "float32" else np.rint(raw)).astype(dtype)
        for name, number in COLOURS.items():
            write(folder / bits / f"{stem}{name}_(Raw).tiff", values[number], 10)
        pack(folder / f"Browser_images_{bits}.zip", folder / bits)
    write(folder / "true" / f"{stem}True_color.tiff", shown(reflectance(24)[:3]), 10, photometric="rgb")
    pack(folder / "Browser_images_true.zip", folder / "true")


def write_earth_engine(folder: Path) -> None:
    """Write exports with band names: harmonised, a float median, an asset of numbered bands, two halves."""
    bands = reflectance(24)[[2, 1, 0, 3]]
    clear = np.zeros((1, 24, 24), np.uint16)
    write(
        folder / "harmonized.tif",
        np.concatenate([digital(bands), clear]),
        10,
        ("B2", "B3", "B4", "B8", "QA60"),
    )
    write(folder / "median.tif", bands, 10, ("B2", "B3", "B4", "B8"))
    write(folder / "unharmonized.tif", digital(bands, offset=1000), 10, ("B2", "B3", "B4", "B8"))
    write(folder / "asset.tif", digital(reflectance(24)), 10, ("b1", "b2", "b3", "b4"))
    for start, half in ((0, bands[..., :12]), (12, bands[..., 12:])):
        place = Affine(10, 0, WEST + start * 10, 0, -10, TOP)
        write(
            folder / f"large-0000000000-{start:010d}.tif",
            digital(half),
            10,
            ("B2", "B3", "B4", "B8"),
            transform=place,
        )
    for name, number in COLOURS.items():
        write(folder / "url" / f"download.{name.replace('0', '')}.tif", digital(reflectance(24)[number]), 10)
    pack(folder / "download.zip", folder / "url")


def write_landsat(folder: Path) -> None:
    """Write surface reflectance of Landsat Collection 2, Level 2: one band a file, 30 m, fill 0."""
    values = digital((reflectance(24) + 0.2) / 2.75e-5, gain=1)
    values[:, :2] = 0
    for band, number in ((2, 2), (3, 1), (4, 0), (5, 3)):
        write(
            folder / f"LC09_L2SP_193023_20240601_20240602_02_T1_SR_B{band}.TIF", values[number], 30, nodata=0
        )


def write_naip(folder: Path) -> None:
    """Write a quarter quad of NAIP: red, green, blue and near infrared in 8 bit, 0.6 m."""
    pixels = shown(reflectance(round(SIDE_M / 0.6)))
    write(folder / "m_4709963_se_14_060_20230714.tif", pixels, 0.6, photometric="rgb", alpha="no")


if __name__ == "__main__":
    root = Path(sys.argv[1])
    write_sentinel2(root / "sentinel2")
    write_copernicus_browser(root / "copernicus")
    write_earth_engine(root / "earth-engine")
    write_landsat(root / "landsat")
    write_naip(root / "naip")
    write_planet(root / "planet")
    write_skysat(root / "skysat")
    write_maxar(root / "maxar")
    write_up42(root / "up42")
