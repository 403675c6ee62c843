"""The tiles and patches that networks read, made from pixels on the ground. Importing it locks GDAL."""

from service.geotiff import gdal_lock as gdal_lock  # first: before anything can import rasterio
