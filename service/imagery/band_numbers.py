"""Red, green and blue from numbered band names, whose meaning depends on the sensor.

B4 is red for Sentinel-2 and Landsat 8, but near infrared for Landsat 5 and 7, and in `b1, b2, b3, b4` the
numbers only count the bands. So a number counts only together with the other numbers of the file.
"""

from collections.abc import Mapping, Sequence

from service.imagery.band_names import BandName, landsat_sensor

Numbers = tuple[int, int, int]

_OLI_AND_SENTINEL2: Numbers = (4, 3, 2)
_THEMATIC_MAPPER: Numbers = (3, 2, 1)
_PRODUCT_ITEMS = ("product", "spacecraft", "satellite", "platform", "scene_id", "sensor")


def only_counts(names: Sequence[BandName | None]) -> bool:
    """Tell whether every name is its band's place in the file: b1, b2, b3 or Band 1, Band 2, Band 3."""
    return all(
        name is not None and name.number == place and not name.suffix for place, name in enumerate(names, 1)
    )


def colour_numbers(names: Sequence[BandName | None], items: Mapping[str, str]) -> Numbers | None:
    """Return the numbers that red, green and blue have in the sensor of these names, or None if unclear."""
    coded = [name for name in names if name is not None and name.number is not None]
    products = [text for key, text in items.items() if any(word in key for word in _PRODUCT_ITEMS)]
    sensor = landsat_sensor([*(name.text for name in coded), *products])
    if sensor is not None:
        return _THEMATIC_MAPPER if sensor == "tm" else _OLI_AND_SENTINEL2
    if surface := [name for name in coded if name.surface]:  # beside them ST_B6 or ST_B10, which are thermal
        coded = surface
    numbers = {name.number or 0 for name in coded}
    if any(name.suffix and name.number == 8 for name in coded) or 1 not in numbers:
        return _OLI_AND_SENTINEL2
    if all(name.surface for name in coded):
        return _of_landsat(numbers)
    if only_counts(names):
        return _of_counted(names)
    if _is_thematic_mapper(numbers):
        return _THEMATIC_MAPPER
    padded = any(name.padded for name in coded) and len(coded) > 4
    return _OLI_AND_SENTINEL2 if max(numbers) >= 9 or padded else None


def _of_landsat(numbers: set[int]) -> Numbers | None:
    """Return the colours of Landsat's SR_B names with band 1, which OLI and the Thematic Mapper share."""
    if 6 in numbers:  # the Thematic Mapper's sixth band is thermal, and has no surface reflectance
        return _OLI_AND_SENTINEL2
    return _THEMATIC_MAPPER if _is_thematic_mapper(numbers) else None


def _is_thematic_mapper(numbers: set[int]) -> bool:
    """Tell whether bands 1 to 5 and 7 are there without 6, or bands 1 to 3: the latter are its colours."""
    return numbers == {1, 2, 3} or (6 not in numbers and {1, 2, 3, 7} <= numbers and max(numbers) == 7)


def _of_counted(names: Sequence[BandName | None]) -> Numbers | None:
    """Return Sentinel-2's numbers for its 12 or 13 bands, and those of HLS for B01 to B07 and more."""
    padded = any(name is not None and name.padded for name in names)
    return _OLI_AND_SENTINEL2 if len(names) in (12, 13) or (padded and len(names) > 4) else None
