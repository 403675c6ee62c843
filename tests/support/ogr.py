"""Read a GeoPackage with GDAL: `python -m tests.support.ogr FILE` prints its layers as JSON.

A process of its own, because the tests' own GDAL is locked to GeoTIFF. It calls the vector library inside the
rasterio wheel by its C interface, so that no second GDAL is installed.
"""

import ctypes
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

VECTOR, VERBOSE = 0x04, 0x40
"""Flags of GDALOpenEx."""


def read_layers(file: Path) -> dict[str, Any]:
    """Return for each layer its features, fields, CRS, geometry type, area and extent, as GDAL reads them."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("GDAL_", "CPL_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.ogr", str(file)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    layers: dict[str, Any] = json.loads(done.stdout)
    return layers


def _library() -> Any:
    found = find_spec("rasterio")
    assert found is not None
    assert found.origin is not None
    import rasterio  # noqa: F401, PLC0415  (loads the libraries that GDAL needs)

    (path,) = (Path(found.origin).parents[1] / "rasterio.libs").glob("libgdal*")
    library = ctypes.CDLL(str(path))
    for name, kind in {
        "GDALOpenEx": ctypes.c_void_p,
        "GDALDatasetGetLayer": ctypes.c_void_p,
        "OGR_L_GetName": ctypes.c_char_p,
        "OGR_L_GetLayerDefn": ctypes.c_void_p,
        "OGR_L_GetNextFeature": ctypes.c_void_p,
        "OGR_L_GetSpatialRef": ctypes.c_void_p,
        "OSRGetAuthorityCode": ctypes.c_char_p,
        "OGR_FD_GetFieldDefn": ctypes.c_void_p,
        "OGR_Fld_GetNameRef": ctypes.c_char_p,
        "OGR_F_GetGeometryRef": ctypes.c_void_p,
        "OGR_F_GetFieldAsString": ctypes.c_char_p,
        "OGR_G_GetGeometryName": ctypes.c_char_p,
        "OGR_G_Area": ctypes.c_double,
        "CPLGetLastErrorMsg": ctypes.c_char_p,
    }.items():
        getattr(library, name).restype = kind
    return library


def _read(path: str) -> dict[str, Any]:
    gdal = _library()
    gdal.GDALAllRegister()
    source = gdal.GDALOpenEx(path.encode(), VECTOR | VERBOSE, None, None, None)
    if not source:
        raise SystemExit(gdal.CPLGetLastErrorMsg().decode())
    dataset = ctypes.c_void_p(source)
    layers = (
        ctypes.c_void_p(gdal.GDALDatasetGetLayer(dataset, at))
        for at in range(gdal.GDALDatasetGetLayerCount(dataset))
    )
    return {gdal.OGR_L_GetName(layer).decode(): _layer(gdal, layer) for layer in layers}


def _layer(gdal: Any, layer: ctypes.c_void_p) -> dict[str, Any]:
    definition = ctypes.c_void_p(gdal.OGR_L_GetLayerDefn(layer))
    fields = [
        gdal.OGR_Fld_GetNameRef(ctypes.c_void_p(gdal.OGR_FD_GetFieldDefn(definition, at))).decode()
        for at in range(gdal.OGR_FD_GetFieldCount(definition))
    ]
    reference = gdal.OGR_L_GetSpatialRef(layer)
    rows, names, area = [], set(), 0.0
    while found := gdal.OGR_L_GetNextFeature(layer):
        feature = ctypes.c_void_p(found)
        rows.append([gdal.OGR_F_GetFieldAsString(feature, at).decode() for at, _ in enumerate(fields)])
        if shape := gdal.OGR_F_GetGeometryRef(feature):
            names.add(gdal.OGR_G_GetGeometryName(ctypes.c_void_p(shape)).decode())
            area += gdal.OGR_G_Area(ctypes.c_void_p(shape))
        gdal.OGR_F_Destroy(feature)
    code = gdal.OSRGetAuthorityCode(ctypes.c_void_p(reference), None).decode() if reference else None
    return {
        "fields": fields,
        "epsg": code,
        "geometries": sorted(names),
        "area": area,
        "rows": [dict(zip(fields, row, strict=True)) for row in rows],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_read(sys.argv[1])))
