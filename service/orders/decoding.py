"""From the bytes of a delivery to pixels on its patch, with what was verified on the way."""

import threading
from typing import Annotated

from fastapi import Depends

from models.grid import GRID
from service.bundles.predictor import PredictorDep
from service.geotiff.preflight import Limits
from service.geotiff.raster import read_geotiff
from service.imagery.placement import place_patch
from service.imagery.radiometry import to_imagery
from service.orders.deliveries import Decode, Placed, Upload
from service.plans.reading import grid_of
from service.plans.tables import Scene
from service.settings import SettingsDep

# GDAL's warper, as rasterio calls it, mutes a warning through state of the whole process: one at a time.
_PLACING = threading.Lock()


def get_decode(settings: SettingsDep, predictor: PredictorDep) -> Decode:
    """Return the decoder of deliveries for the running bundle: a patch is a quarter of its HR tile wide."""
    limits = Limits(body_bytes=settings.patch_body_limit, decode_seconds=settings.decode_seconds)
    size = predictor.manifest.hr_size // GRID

    def decode(scene: Scene, upload: Upload) -> Placed:
        grid = grid_of(scene)
        raster = read_geotiff(upload.body, limits)
        imagery = to_imagery(raster, upload.bands, upload.radiometry)
        with _PLACING:
            pixels = place_patch(imagery, grid, upload.tile, upload.patch, size)
        _, height, width = raster.pixels.shape
        checks = {
            "covers_patch": True,
            "crs": raster.crs,
            "width_px": width,
            "height_px": height,
            "bands": list(imagery.bands),
            "bands_from": imagery.bands_from,
            "radiometry": imagery.radiometry,
            "patch_px": size,
        }
        return Placed(pixels=pixels, checks=checks)

    return decode


DecodeDep = Annotated[Decode, Depends(get_decode)]
