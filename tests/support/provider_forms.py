"""Orders in the forms in which Planet, Maxar and UP42 deliver them: imagery, masks and metadata together."""

import json
import math
from pathlib import Path

import numpy as np
from affine import Affine
from pyproj import Transformer
from rasterio.rpc import RPC

from tests.support.form_files import pack, write
from tests.support.landscape import SIDE_M, TOP, UTM, WEST, digital, reflectance, shown

FINE_M = 0.5
FINE = round(SIDE_M / FINE_M)  # pixels a side
BGRN = [2, 1, 0, 3]
COEFFICIENTS = (2.01e-05, 2.14e-05, 2.03e-05, 2.9e-05)  # reflectance of one unit of radiance, by band


def write_planet(folder: Path) -> None:
    """Write an order of PlanetScope scenes of 3 m: eight and four bands of reflectance, and radiance."""
    scene = "20240601_101010_12_2415"
    bands = reflectance(round(SIDE_M / 3))
    red, green, blue, infrared = bands
    eight = np.array([blue * 0.9, blue, green * 0.9, green, red * 1.1, red, infrared * 0.6, infrared])
    radiance = bands[BGRN] / np.array(COEFFICIENTS)[:, None, None]
    products = {
        "AnalyticMS_SR_8b": digital(eight),
        "AnalyticMS_SR": digital(bands[BGRN]),
        "AnalyticMS": digital(radiance, gain=1),
    }
    for product, values in products.items():
        files = folder / product / "files" / "PSScene" / scene / "analytic"
        write(files / f"{scene}_3B_{product}_clip.tif", values, 3, nodata=0, photometric="minisblack")
        write(files / f"{scene}_3B_udm2_clip.tif", np.ones((8, *values.shape[1:]), np.uint8), 3)
        (files / f"{scene}_metadata.json").write_text(json.dumps({"properties": {"gsd": 3.9}}))
        (files / f"{scene}_3B_AnalyticMS_metadata_clip.xml").write_text(
            "".join(
                f"<ps:bandNumber>{band}</ps:bandNumber>\n"
                f"<ps:reflectanceCoefficient>{coefficient}</ps:reflectanceCoefficient>\n"
                for band, coefficient in enumerate(COEFFICIENTS, 1)
            )
        )
        (folder / product / "manifest.json").write_text("{}")
        pack(folder / f"{product}.zip", folder / product)


def write_skysat(folder: Path) -> None:
    """Write an order of a SkySat collect of 0.5 m: blue, green, red, near infrared and its mask."""
    stem = "20240601_101010_ssc4_u0001"
    files = folder / "order" / "files" / "SkySatCollect" / stem
    write(files / f"{stem}_ortho_analytic_sr.tif", digital(reflectance(FINE)[BGRN]), FINE_M, nodata=0)
    write(files / f"{stem}_ortho_analytic_udm2.tif", np.ones((8, FINE, FINE), np.uint8), FINE_M)
    (files / f"{stem}_metadata.json").write_text(json.dumps({"properties": {"gsd": 0.65}}))
    (folder / "order" / "manifest.json").write_text("{}")
    pack(folder / "skysat-order.zip", folder / "order")


def write_maxar(folder: Path) -> None:
    """Write an ARD tile, an ortho product in two parts, and a raw product placed by RPCs."""
    colours = shown(reflectance(FINE)[:3])
    tile = folder / "ard" / "33" / "120020223311" / "2024-06-01"
    write(tile / "10400100A1B2C300-visual.tif", colours, FINE_M, photometric="rgb")
    write(tile / "10400100A1B2C300-pan.tif", digital(reflectance(FINE)[:1]), FINE_M)
    (tile / "10400100A1B2C300.json").write_text("{}")

    ortho = folder / "ortho" / "050012345010_01" / "050012345010_01_P001_PSH"
    stem = "24JUN01101010-S3DS"
    for column in (0, 1):
        part = colours[..., column * FINE // 2 : (column + 1) * FINE // 2]
        place = Affine(FINE_M, 0, WEST + column * SIDE_M / 2, 0, -FINE_M, TOP)
        name = f"{stem}_R1C{column + 1}-050012345010_01_P001.TIF"
        write(ortho / name, part, FINE_M, transform=place, photometric="rgb")
    for suffix in ("IMD", "RPB", "TIL", "XML"):
        (ortho / f"{stem}-050012345010_01_P001.{suffix}").write_text("BEGIN_GROUP\nEND_GROUP\nEND;\n")

    raw = folder / "raw" / "050012345020_01_P001_PSH" / "24JUN01101010-S1BS-050012345020_01_P001.TIF"
    write(raw, colours, FINE_M, crs=None, transform=Affine.identity(), photometric="rgb", rpcs=middle_rpcs())


def middle_rpcs() -> RPC:
    """Return coefficients that place a raster of FINE x FINE pixels on the landscape, at any height."""
    to_degrees = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(WEST + SIDE_M / 2, TOP - SIDE_M / 2)
    zeros = [0.0] * 20
    return RPC(
        err_bias=0, err_rand=0, line_off=FINE / 2, samp_off=FINE / 2, lat_off=lat, long_off=lon,
        height_off=50, line_scale=FINE / 2, samp_scale=FINE / 2, lat_scale=SIDE_M / 2 / 111_250,
        long_scale=SIDE_M / 2 / (111_320 * math.cos(math.radians(lat))), height_scale=500,
        line_num_coeff=[0, 0, -1, *zeros[3:]], line_den_coeff=[1, *zeros[1:]],
        samp_num_coeff=[0, 1, *zeros[2:]], samp_den_coeff=[1, *zeros[1:]],
    )  # fmt: skip


def write_up42(folder: Path) -> None:
    """Write an UP42 asset: an 8-bit ortho in red, green, blue and near infrared, its mask and metadata."""
    asset = folder / "asset" / "IMG_PNEO3_PMS_001"
    write(
        asset / "IMG_PNEO3_202406011010_PMS_ORT_RGBN.TIF",
        shown(reflectance(FINE)),
        FINE_M,
        photometric="minisblack",
    )
    mask = asset / "MASKS" / "CLD_PNEO3_MSK.TIF"
    write(mask, np.zeros((1, FINE, FINE), np.uint8), FINE_M)
    (asset / "DIM_PNEO3_PMS.XML").write_text("<Dimap_Document/>")
    (folder / "asset" / "data.json").write_text("{}")
    pack(folder / "up42-asset.zip", folder / "asset")
