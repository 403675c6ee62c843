"""Scenes: from uploaded bytes to tiles and patches on the ground. Importing it locks GDAL."""

from service.geotiff import gdal_lock as gdal_lock  # first: before anything can import rasterio
