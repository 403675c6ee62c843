"""From pixels on the ground to the tiles and patches that networks read. Importing it locks GDAL."""

from service.geotiff import gdal_lock as gdal_lock  # first: before anything can import rasterio
