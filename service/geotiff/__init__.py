"""The only entrance for uploads: from bytes to pixels on the ground. Importing it locks GDAL."""

from service.geotiff import gdal_lock as gdal_lock  # first: before anything can import rasterio
