"""The offset of 1,000 in Sentinel-2 products: applied, not applied twice, or warned of."""

from dataclasses import replace

import pytest

from service.imagery.radiometry import to_imagery
from service.imagery.sentinel2 import offset_in_metadata
from tests.support.covers import SNOW, codes, digital, make_land, make_rgb, shows

LAND = make_land()[:3]
SAID = {"processing_baseline": "05.09"}


@pytest.mark.parametrize(
    ("items", "contained"),
    [
        ({"processing_baseline": "05.09"}, True),
        ({"s2:processing_baseline": "04.00"}, True),
        ({"processing_baseline": "0510"}, True),
        ({"processing_baseline": "N0400"}, True),
        ({"processing_baseline": "03.01"}, False),
        ({"product_uri": "S2B_MSIL2A_20230104T101409_N0509_R022_T33UUU_20230104T130000.SAFE"}, True),
        ({"product_uri": "S2B_MSIL2A_20200104T101409_N0213_R022_T33UUU_20200104T130000.SAFE"}, False),
        ({"boa_add_offset": "-1000"}, True),
        ({"boa_add_offset_b04": "-1000.0"}, True),
        ({"radio_add_offset": "-1000,-1000,-1000"}, True),
        ({"processing_baseline": "05.09", "boa_add_offset": "0"}, False),
        ({"processing_baseline": "05.09", "earthsearch:boa_offset_applied": "true"}, False),
        ({"earthsearch:boa_offset_applied": "false"}, True),
        ({"id": "COPERNICUS/S2_SR_HARMONIZED/20230104"}, False),
        ({"s2": "processing_baseline=05.09"}, True),
        ({"earthsearch": "boa_offset_applied=true", "processing_baseline": "05.09"}, False),
        ({"granule": "S2B_OPER_MSI_L2A_TL_2APS_20230101T120000_A012345_T33UUU_N05.10"}, True),
        ({"processing_baseline": "unknown", "area_or_point": "Area"}, None),
        ({}, None),
    ],
)
def test_offset_in_metadata_reads_products_baselines_and_offsets(
    items: dict[str, str], contained: bool | None
) -> None:
    told = offset_in_metadata(items)
    assert (told[0] if told else None) is contained


def test_to_imagery_applies_the_offset_that_metadata_state() -> None:
    for scales in ((1.0,) * 3, (1e-4,) * 3):
        raster = replace(make_rgb(digital(LAND) + 1000, scales=scales), items=SAID)
        found = to_imagery(raster, is_scene=True, strict=True)
        assert (shows(found, LAND), codes(found)) == (True, [])
        assert "processing_baseline=05.09" in found.radiometry


def test_to_imagery_does_not_apply_the_offset_twice() -> None:
    found = to_imagery(replace(make_rgb(digital(LAND)), items=SAID), is_scene=True, strict=True)
    assert shows(found, LAND)
    assert codes(found) == ["sentinel2-offset-removed"]
    assert found.warnings[0].figures["metadata"] == "processing_baseline=05.09"


def test_to_imagery_warns_where_the_offset_is_likely_and_not_stated() -> None:
    raster = make_rgb(digital(LAND) + 1000)
    found = to_imagery(raster, is_scene=True, strict=True)
    assert codes(found) == ["sentinel2-offset-suspected"]
    assert "radiometry=reflectance-1e4-offset1000" in found.warnings[0].detail
    assert min(found.warnings[0].figures["first_percentile"]) >= 1000
    assert codes(to_imagery(raster)) == []  # a delivery is not Sentinel-2


def test_to_imagery_suspects_no_offset_in_bright_or_older_scenes() -> None:
    older = replace(make_rgb(digital(LAND) + 1000), items={"processing_baseline": "02.09"})
    assert codes(to_imagery(older, is_scene=True, strict=True)) == []
    snow = to_imagery(make_rgb(digital(make_land(SNOW)[:3])), is_scene=True, strict=True)
    assert "sentinel2-offset-suspected" not in codes(snow)
