"""What can be wrong with an uploaded raster or a delivered patch, one class per stable code."""

from service.errors import ConflictError, InvalidInputError, LoupeError, UnavailableError


class NotGeoTiffError(LoupeError):
    """The bytes are something else than a TIFF."""

    status = 415
    code = "not-a-geotiff"
    title = "This is not a GeoTIFF"


class RasterTooLargeError(LoupeError):
    """More bytes or pixels than the service takes in one file."""

    status = 413
    code = "raster-too-large"
    title = "The raster is too large"


class DamagedTiffError(InvalidInputError):
    """The structure of the TIFF contradicts itself, or its pixels cannot be decoded."""

    code = "damaged-tiff"
    title = "The TIFF is damaged"


class UnsupportedTiffError(InvalidInputError):
    """A sound TIFF of a kind that is not read here."""

    code = "unsupported-tiff"
    title = "This kind of TIFF is not supported"


class ExpansionError(InvalidInputError):
    """The file decodes to far more bytes than an image of its stored size does."""

    code = "expansion-too-large"
    title = "The raster expands too much"


class DecodeOverrunError(InvalidInputError):
    """Decoding took more time or memory than a raster of its size may take."""

    code = "decode-overrun"
    title = "The raster takes too long or too much memory to decode"


class GeoreferenceError(InvalidInputError):
    """The raster does not say where on Earth it lies, or not in a usable way."""

    code = "georeference-unusable"
    title = "The raster's georeference cannot be used"


class BandsAmbiguousError(InvalidInputError):
    """Red, green and blue cannot be told from the file."""

    code = "bands-ambiguous"
    title = "Which bands are red, green and blue?"


class BandsMissingError(InvalidInputError):
    """The file has no three bands to make a colour image of."""

    code = "bands-missing"
    title = "The raster has too few bands"


class RadiometryError(InvalidInputError):
    """The `radiometry` asked for is unknown."""

    code = "radiometry-unknown"
    title = "This radiometry is not known"


class NoValidPixelsError(InvalidInputError):
    """Every pixel is nodata, transparent or not a number."""

    code = "no-valid-pixels"
    title = "The raster has no valid pixel"


class GsdTooCoarseError(InvalidInputError):
    """The raster's pixels are larger than the bundle's low resolution allows."""

    code = "gsd-too-coarse"
    title = "The raster is too coarse"


class AlreadyHighResolutionError(InvalidInputError):
    """The raster is already as fine as what would be bought."""

    code = "already-high-resolution"
    title = "The raster is already high-resolution"


class SceneTooSmallError(InvalidInputError):
    """Not one whole tile fits into the raster."""

    code = "scene-smaller-than-a-tile"
    title = "The scene is smaller than one tile"


class PatchMisplacedError(ConflictError):
    """The delivered file does not cover the patch it was delivered for."""

    code = "patch-misplaced"
    title = "The delivered file does not cover this patch"


class PatchTooCoarseError(InvalidInputError):
    """The delivered file is coarser than the patch that was ordered."""

    code = "patch-too-coarse"
    title = "The delivered file is too coarse"


class DecoderUnavailableError(UnavailableError):
    """No decoding process could take the raster."""

    code = "decoder-unavailable"
    title = "No decoder is free"
