"""How much one uploaded file may be."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one file may be. The defaults take a whole Sentinel-2 granule (10,980 x 10,980 x 4 x 16 bit)."""

    body_bytes: int = 32 * MIB
    side: int = 16_384  # pixels
    pixels: int = 134_217_728
    decoded_bytes: int = 1024 * MIB
    bands: int = 32
    images: int = 40  # image, mask and their overviews
    blocks: int = 262_144
    block_side: int = 8_192  # pixels of a tile, where it is larger than the image
    expansion: int = 400  # decoded bytes per stored byte, above 4 MiB
    decode_seconds: float = 20.0
