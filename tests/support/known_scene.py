"""Scenes whose high-resolution pixels are known, and the patches that a provider would cut from them."""

from rasterio.transform import Affine

from examples.demo.mosaic import TILE_PX, Mosaic, geotiff
from models.grid import GRID


class KnownScene(Mosaic):
    """A mosaic from which single patches can be delivered."""

    def patch(self, tile: int, patch: int) -> bytes:
        """Cut one patch at full resolution and write a GeoTIFF. Patch ids are column-major."""
        step = TILE_PX // GRID
        tile_row, tile_column = divmod(tile, self.columns)
        column, row = divmod(patch, GRID)
        top, left = tile_row * TILE_PX + row * step, tile_column * TILE_PX + column * step
        edge = self.tile_m / TILE_PX
        transform = Affine(edge, 0, self.left + left * edge, 0, -edge, self.top - top * edge)
        return geotiff(self.pixels[top : top + step, left : left + step], self.crs, transform)
