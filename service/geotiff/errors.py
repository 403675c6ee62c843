"""Errors of an upload that cannot be read as a placed raster, one class per stable code."""

from service.errors import InvalidInputError, LoupeError, UnavailableError


class NotGeoTiffError(LoupeError):
    """The bytes are not a TIFF."""

    status = 415
    code = "not-a-geotiff"
    title = "This is not a GeoTIFF"


class RasterTooLargeError(LoupeError):
    """The file has more bytes or pixels than the service reads."""

    status = 413
    code = "raster-too-large"
    title = "The raster is too large"


class DamagedTiffError(InvalidInputError):
    """The structure of the TIFF contradicts itself, or its pixels cannot be decoded."""

    code = "damaged-tiff"
    title = "The TIFF is damaged"


class UnsupportedTiffError(InvalidInputError):
    """The TIFF is sound, but of a kind that the service does not read."""

    code = "unsupported-tiff"
    title = "This kind of TIFF is not supported"


class ExpansionError(InvalidInputError):
    """The file decodes to far more bytes than an image of its stored size does."""

    code = "expansion-too-large"
    title = "The raster expands too much"


class DecodeOverrunError(InvalidInputError):
    """Decoding took more time or memory than one raster may use."""

    code = "decode-overrun"
    title = "The raster takes too long or too much memory to decode"


class GeoreferenceError(InvalidInputError):
    """The raster's place on Earth is missing or unusable."""

    code = "georeference-unusable"
    title = "The raster's georeference cannot be used"


class DecoderUnavailableError(UnavailableError):
    """No decoding process could take the raster."""

    code = "decoder-unavailable"
    title = "No decoder is free"
