"""Lock GDAL before rasterio is first imported: GeoTIFF only, no network, no sidecar files, no Python.

GDAL reads these variables once, when its drivers register, which happens when rasterio is imported. Setting
them later (`rasterio.Env(GDAL_SKIP=...)`) has no effect. Therefore `service.geotiff` imports this module
first, and the server calls `assert_locked` before it answers a request.
docs/decisions/0007-geotiff-quarantine.md gives the reason for each line.
"""

import os

ALLOWED_DRIVERS = frozenset({"GTiff", "MEM", "Memory"})

# Every driver that GDAL 3.10.3 in the rasterio 1.4.4 wheels registers, except the allowed ones.
# GDAL has no allow-list; `assert_locked` catches a newer wheel with a new driver.
SKIPPED_DRIVERS = (
    "AAIGrid,ACE2,ADRG,AIG,AVCBin,AVCE00,AirSAR,BAG,BIGGIF,BLX,BMP,BSB,BT,BYN,CALS,CEOS,COASP,COG,COSAR,"
    "CPG,CTG,CTable2,DAAS,DERIVED,DIMAP,DIPEx,DOQ1,DOQ2,DTED,ECRGTOC,EEDA,EEDAI,EHdr,EIR,ELAS,ENVI,ERS,"
    "ESAT,ESRI Shapefile,ESRIC,ESRIJSON,FAST,FIT,GFF,GIF,GNMDatabase,GNMFile,GPKG,GRASSASCIIGrid,GRIB,"
    "GS7BG,GSAG,GSBG,GSC,GTI,GTX,GXF,GenBin,GeoJSON,GeoJSONSeq,HDF5,HDF5Image,HF2,HFA,HTTP,ILWIS,IRIS,"
    "ISCE,ISG,ISIS2,ISIS3,JAXAPALSAR,JDEM,JP2OpenJPEG,JPEG,KMLSUPEROVERLAY,KRO,L1B,LAN,LCP,LOSLAS,Leveller,"
    "MAP,MBTiles,MFF,MFF2,MRF,MSGN,MVT,NDF,NGSGEOID,NITF,NOAA_B,NSIDCbin,NTv2,NWT_GRC,NWT_GRD,OSM,OZI,PAux,"
    "PCIDSK,PCRaster,PDF,PDS,PDS4,PLMOSAIC,PNG,PNM,PRF,R,RIK,RMF,ROI_PAC,RPFTOC,RRASTER,RS2,RST,Rasterlite,"
    "S102,S104,S111,SAFE,SAGA,SAR_CEOS,SDTS,SENTINEL2,SGI,SIGDEM,SNAP_TIFF,SNODAS,SQLite,SRP,SRTMHGT,STACIT,"
    "STACTA,TGA,TIL,TSX,Terragen,TopoJSON,USGSDEM,VICAR,VRT,WCS,WEBP,WMS,WMTS,XPM,XYZ,ZMap,Zarr,netCDF"
)

ENVIRONMENT = {
    "GDAL_SKIP": SKIPPED_DRIVERS,
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",  # no URL ends like this, so /vsicurl opens nothing
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no .ovr, .msk, .aux.xml beside a file
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_NUM_THREADS": "1",
    "GDAL_CACHEMAX": "64",
    "GDAL_HTTP_TIMEOUT": "5",
    "GDAL_HTTP_CONNECTTIMEOUT": "2",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",  # a damaged JPEG block is an error, not grey pixels
    "PROJ_NETWORK": "OFF",
    "CPL_DEBUG": "OFF",
}


class GdalNotLockedError(RuntimeError):
    """GDAL was loaded with drivers that it may not have; the server must not start."""


def lock() -> None:
    """Set the environment that GDAL reads; this only works before the first `import rasterio`."""
    os.environ.update(ENVIRONMENT)


def extra_drivers() -> frozenset[str]:
    """Return the names of registered drivers that are not allowed."""
    import rasterio  # noqa: PLC0415 - importing this module must not import GDAL

    with rasterio.Env() as env:
        registered = frozenset(str(name) for name in env.drivers())
    return registered - ALLOWED_DRIVERS


def assert_locked() -> None:
    """Raise `GdalNotLockedError`, naming the drivers, unless only GeoTIFF and memory are registered."""
    extra = extra_drivers()
    if not extra:
        return
    names = ", ".join(sorted(extra)[:5]) + (" ..." if len(extra) > 5 else "")
    raise GdalNotLockedError(
        f"GDAL has registered {len(extra)} drivers besides GeoTIFF and memory ({names}). Either rasterio was "
        "imported before service.geotiff, or this GDAL is newer than the list in `service.geotiff.gdal_lock`."
    )


lock()
