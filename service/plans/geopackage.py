"""A GeoPackage (OGC 12-128r18, version 1.3) of polygons in one CRS, with the styles that QGIS reads from it.

Written with the standard library's SQLite: the server's GDAL is locked to GeoTIFF (decisions 7 and 47).
"""

import sqlite3
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, Self

import numpy as np
import shapely
from pyproj import CRS

MEDIA_TYPE = "application/geopackage+sqlite3"
Cell = str | int | float | None
Columns = Mapping[str, Literal["TEXT", "INTEGER", "REAL", "BOOLEAN"]]
Place = tuple[shapely.Polygon, Sequence[Cell]]
"""A polygon with the values of its columns."""

_APPLICATION, _VERSION = 0x47504B47, 10300  # "GPKG", 1.3.0
_UNDEFINED = ((-1, "Undefined cartesian", "NONE"), (0, "Undefined geographic", "NONE"))
_TABLES = """
CREATE TABLE gpkg_spatial_ref_sys (
  srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (
  table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
  description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
  CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT, f_table_catalog TEXT(256), f_table_schema TEXT(256),
  f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
  useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
  update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')));
"""


@dataclass(frozen=True, kw_only=True)
class MapLayer:
    """A table of polygons, and how QGIS draws them."""

    name: str
    description: str
    columns: Columns
    style: str
    """Style as a QML document."""


class GeoPackage:
    """A GeoPackage in memory, used as a context manager. The same content gives the same bytes."""

    def __init__(self, crs: str, made_at: datetime) -> None:
        """Begin a file whose polygons are in `crs` ("EPSG:n", x first) and were made at a time."""
        self._database = sqlite3.connect(":memory:")
        self._made_at = f"{made_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"
        self._srs = int(crs.removeprefix("EPSG:"))
        run = self._database.execute
        run(f"PRAGMA application_id = {_APPLICATION}")
        run(f"PRAGMA user_version = {_VERSION}")
        self._database.executescript(_TABLES)
        for srs, name, organisation in _UNDEFINED:
            row = (name, srs, organisation, srs, "undefined")
            run("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)", row)
        for code in sorted({4326, self._srs}):  # the standard asks for 4326 in every file
            run("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)", _reference_system(code))
        self._contain("layer_styles", "attributes", "Styles that QGIS applies")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def add(self, layer: MapLayer, places: Iterable[Place]) -> None:
        """Add a layer of polygons, which are numbered from 1 in their order."""
        run, name = self._database.execute, layer.name
        fields = "".join(f", {column} {kind}" for column, kind in layer.columns.items())
        run(f"CREATE TABLE {name} (fid INTEGER PRIMARY KEY AUTOINCREMENT, geom POLYGON{fields})")
        self._contain(name, "features", layer.description)
        run("INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', 'POLYGON', ?, 0, 0)", (name, self._srs))
        holes = ", ".join("?" * (len(layer.columns) + 1))
        insert = f"INSERT INTO {name} (geom, {', '.join(layer.columns)}) VALUES ({holes})"  # noqa: S608  (own names)
        extent = np.array([np.inf, np.inf, -np.inf, -np.inf])
        for polygon, cells in places:
            bounds = shapely.bounds(polygon)
            extent = np.append(np.minimum(extent[:2], bounds[:2]), np.maximum(extent[2:], bounds[2:]))
            run(insert, (self._encode(polygon, bounds.tolist()), *cells))
        if np.isfinite(extent).all():
            run(
                "UPDATE gpkg_contents SET min_x = ?, min_y = ?, max_x = ?, max_y = ? WHERE table_name = ?",
                (*extent.tolist(), name),
            )
        run(
            "INSERT INTO layer_styles VALUES (NULL, '', '', ?, 'geom', ?, ?, '', 1, ?, '', '', ?)",
            (name, name, layer.style, layer.description, self._made_at),
        )

    def to_bytes(self) -> bytes:
        """Return the file."""
        self._database.commit()
        return self._database.serialize()

    def _contain(self, table: str, kind: str, description: str) -> None:
        srs = self._srs if kind == "features" else None
        self._database.execute(
            "INSERT INTO gpkg_contents VALUES (?, ?, ?, ?, ?, NULL, NULL, NULL, NULL, ?)",
            (table, kind, table, description, self._made_at, srs),
        )

    def _encode(self, polygon: shapely.Polygon, bounds: Sequence[float]) -> bytes:
        """Write a geometry as section 2.1.3 of the standard asks: a header with the envelope, then WKB."""
        west, south, east, north = bounds
        header = struct.pack("<2sBBi4d", b"GP", 0, 0b011, self._srs, west, east, south, north)
        written: bytes = shapely.to_wkb(polygon, byte_order=1)
        return header + written


def _reference_system(code: int) -> tuple[str, int, str, int, str]:
    """Return the row of a CRS of EPSG; one that WKT 1 cannot express is known by its number only."""
    crs = CRS.from_epsg(code)
    return (crs.name, code, "EPSG", code, crs.to_wkt("WKT1_GDAL") or "undefined")
