"""Red, green and blue by the names that sensors, providers and software give to bands."""

from dataclasses import replace
from typing import Any

import pytest

from service.geotiff.raster import Raster
from service.imagery.band_names import read_name
from service.imagery.bands import BandsAmbiguousError, choose_bands
from tests.support.rasters import make_noise, make_raster

RGB = ("red", "green", "blue")


def raster_of(names: tuple[str | None, ...], dtype: str = "uint16", **facts: Any) -> Raster:
    return make_raster(make_noise(len(names), 8, 8, dtype), descriptions=names, **facts)


NAMED = {
    "superdove": (
        ("coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir"),
        (6, 4, 2),
    ),
    "worldview": (
        ("Coastal", "Blue", "Green", "Yellow", "Red", "Red Edge", "NIR1", "NIR2"),
        (5, 3, 2),
    ),
    "acolite": (("rhos_443", "rhos_492", "rhos_560", "rhos_665", "rhos_833"), (4, 3, 2)),
    "micrometres": (("0.49", "0.56", "0.665"), (3, 2, 1)),
    "olci": (("Oa04_reflectance", "Oa06_reflectance", "Oa08_reflectance"), (3, 2, 1)),
    "landsat-5-with-thermal": (
        ("SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B7", "ST_B6", "QA_PIXEL"),
        (3, 2, 1),
    ),
    "bands-with-words": (("Band 2 (Blue)", "Band 3 (Green)", "Band 4 (Red)"), (3, 2, 1)),
    "files-of-10-m": (("B02_10m", "B03_10m", "B04_10m", "B08_10m"), (3, 2, 1)),
    "files-of-a-granule": (
        (
            "T32UQD_20230104T101409_B04_10m",
            "T32UQD_20230104T101409_B03_10m",
            "T32UQD_20230104T101409_B02_10m",
        ),
        (1, 2, 3),
    ),
    "gdal-sentinel2": (
        ("B4, central wavelength 665 nm", "B3, central wavelength 560 nm", "B2, central wavelength 490 nm"),
        (1, 2, 3),
    ),
    "wavelengths": (("443 nm", "490 nm", "0.56 um", "0.665 um", "705 nm", "842 nm"), (4, 3, 2)),
    "srb": (("SRB2", "SRB3", "SRB4", "SRB5"), (3, 2, 1)),
    "earth-engine-visualised": (("vis-red", "vis-green", "vis-blue"), (1, 2, 3)),
    "earth-engine-tci": (("TCI_R", "TCI_G", "TCI_B"), (1, 2, 3)),
    "earth-engine-sentinel2": (
        ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12", "AOT", "WVP", "SCL"),
        (4, 3, 2),
    ),
    "hls": (("B01", "B02", "B03", "B04", "B05", "B06", "B07"), (4, 3, 2)),
    "oli": (tuple(f"SR_B{number}" for number in range(1, 8)), (4, 3, 2)),
    "oli-colours": (("SR_B4", "SR_B3", "SR_B2"), (1, 2, 3)),
    "thematic-mapper": (("SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B7"), (3, 2, 1)),
    "thematic-mapper-colours": (("SR_B3", "SR_B2", "SR_B1"), (1, 2, 3)),
    "thematic-mapper-plain": (("B1", "B2", "B3", "B4", "B5", "B7"), (3, 2, 1)),
    "landsat-5-files": (
        ("LT05_L2SP_SR_B1", "LT05_L2SP_SR_B2", "LT05_L2SP_SR_B3", "LT05_L2SP_SR_B4"),
        (3, 2, 1),
    ),
    "landsat-7-colours": (("LE07_L2SP_SR_B1", "LE07_L2SP_SR_B2", "LE07_L2SP_SR_B3"), (3, 2, 1)),
    "landsat-9-files": (
        ("LC09_L2SP_SR_B1", "LC09_L2SP_SR_B2", "LC09_L2SP_SR_B3", "LC09_L2SP_SR_B4"),
        (4, 3, 2),
    ),
    "french": (("Bleu", "Vert", "Rouge", "PIR"), (3, 2, 1)),
}


@pytest.mark.parametrize(("names", "bands"), NAMED.values(), ids=NAMED)
def test_choose_bands_understands_names(names: tuple[str, ...], bands: tuple[int, int, int]) -> None:
    found, how = choose_bands(raster_of(names), None)
    assert found == bands
    assert "descriptions" in how


@pytest.mark.parametrize("text", ["SR_B4", "SRB4", "LC08_L2SP_195024_SR_B4", "band_SR_B4"])
def test_read_name_finds_landsats_prefix_in_a_file_name(text: str) -> None:
    assert read_name(text).surface


AMBIGUOUS = {
    "counted-lower-case": ("b1", "b2", "b3", "b4"),
    "counted-upper-case": ("B1", "B2", "B3", "B4"),
    "counted-padded": ("B01", "B02", "B03", "B04"),
    "counted-eight": tuple(f"b{number}" for number in range(1, 9)),
    "counted-ten": tuple(f"b{number}" for number in range(1, 11)),
    "counted-three": ("b1", "b2", "b3"),
    "counted-in-another-order": ("B3", "B2", "B1", "B4"),
    "landsat-of-four": ("SR_B1", "SR_B2", "SR_B3", "SR_B4"),
    "seven-plain": tuple(f"B{number}" for number in range(1, 8)),
    "radar": ("VV", "VH", "VV-VH"),
    "indices": ("NDVI", "NDWI", "NDBI"),
    "terrain": ("elevation", "slope", "aspect"),
    "classes": ("water", "trees", "grass"),
    "unknown": ("first", "second", "third", "fourth"),
    "infrared": ("B8", "B4", "B3"),
    "short-wave": ("SWIR2", "NIR", "Red"),
}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("names", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_choose_bands_refuses_names_that_are_no_colours(names: tuple[str, ...], dtype: str) -> None:
    with pytest.raises(BandsAmbiguousError, match="bands=R,G,B"):
        choose_bands(raster_of(names, dtype), None)
    assert choose_bands(raster_of(names, dtype), "1,2,3")[0] == (1, 2, 3)


def test_choose_bands_refuses_names_that_are_no_colours_despite_gdals_default_colours() -> None:
    for names in (AMBIGUOUS["classes"], AMBIGUOUS["radar"]):
        with pytest.raises(BandsAmbiguousError):
            choose_bands(raster_of(names, "uint8", colours=RGB), None)


@pytest.mark.parametrize(
    "names",
    [
        ("ortho_2023.tif", "ortho_2023.tif", "ortho_2023.tif"),
        ("Gray", "Gray", "Gray"),
        ("Band 1", "Band 2", "Band 3"),
        ("Band_1", "Band_2", "Band_3"),
        ("lyr.1", "lyr.2", "lyr.3"),
        ("orthophoto of the harbour", None, None),
        ("b1", "b2", "b3"),
    ],
)
def test_choose_bands_ignores_descriptions_that_name_nothing(names: tuple[str | None, ...]) -> None:
    found, how = choose_bands(raster_of(names, "uint8", colours=RGB), None)
    assert (found, how) == ((1, 2, 3), "by the file's colour interpretation")


def test_choose_bands_uses_colours_beside_a_named_fourth_band() -> None:
    raster = raster_of((None, None, None, "nir"), "uint8", colours=(*RGB, "undefined"))
    assert choose_bands(raster, None)[0] == (1, 2, 3)


def test_choose_bands_uses_the_satellite_in_the_metadata() -> None:
    raster = replace(raster_of(("SR_B1", "SR_B2", "SR_B3", "SR_B4")), items={"spacecraft_id": "LANDSAT_7"})
    assert choose_bands(raster, None)[0] == (3, 2, 1)
