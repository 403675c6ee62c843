"""Scenes of plans, and the objects in them."""

from datetime import date

from loupe.answers.base import Part


class ObjectCount(Part):
    """A number of objects that is not known exactly."""

    expected: float
    """Expected number of objects."""
    low: int
    """Lower end of the 95 % interval of the number."""
    high: int
    """Upper end of the 95 % interval of the number."""


class PlanScene(Part):
    """The uploaded scene as it was read."""

    sha256: str
    """SHA-256 of the uploaded file."""
    columns: int
    """Number of tiles from west to east."""
    rows: int
    """Number of tiles from north to south."""
    tile_m: float
    """Side of a tile of the bundle, in metres."""
    gsd_m: tuple[float, float]
    """Pixel size of the upload on the ground, in metres: along rows and down columns, measured at its centre.
    """
    crs: str
    """Coordinate reference system of the upload."""
    bands: tuple[int, ...]
    """Numbers of the red, green and blue bands, counted from 1."""
    bands_from: str
    """How the bands were found."""
    radiometry: str
    """How pixel values became colours."""
    acquired_on: date | None = None
    """Day of acquisition that the file's metadata state, such as `ACQUISITION_DATE`.

    Scenes of one ground from different days are different acquisitions: each has a baseline of its own.
    """
    planned_km2: float
    """Area of all tiles, in square kilometres."""
    left_out_km2: float
    """Area at the right and bottom edges that fills no tile, in square kilometres."""
    tiles_without_data: int
    """Number of tiles with less than 90 % valid area. They are not planned."""


class PlanObjects(Part):
    """The objects that the bundle counts, as it expects them from the low-resolution scene."""

    name: str
    """Objects that are counted."""
    scene: ObjectCount
    """Number in the planned tiles.

    Its interval takes the patches as independent: where the bundle misjudges the whole scene, it is too
    narrow.
    """
    in_bought: float
    """Expected number in the patches that the plan buys."""
    in_reused: float
    """Number in patches that the plan leaves out because they are owned or on order: the number that was read
    before the plan was made, else the expected one. 0 with `reuse=none`.
    """
    read: float = 0.0
    """Part of `in_reused` that was read before the plan was made; the rest is expected.

    `prior` and `round` state what was read, with `reuse=none` too.
    """
    share: float
    """Share of the objects of the whole scene, expected or read, that lie in bought patches, 0 to 1."""
