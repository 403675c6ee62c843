"""The patches that the files of one upload deliver, collected file by file. Opens no database session."""

import mmap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from service.blobs import SpooledFile, keep
from service.deliveries.decoding import CutPatch, DecodedFile, ReadAs, Target, cut_patch, decode_file
from service.deliveries.joining import FilePart, PartlyCovered, cut_part
from service.deliveries.mosaics import NoPatchCoveredError, check_colours, find_patches, nothing_covered
from service.deliveries.settling import CheckedPatch
from service.errors import InvalidInputError, LoupeError
from service.geotiff.preflight import Limits, check_structure
from service.orders.checklist import Place
from service.orders.delivered import FileVersion
from service.orders.parts import MOST_PARTS

MOST_AT_ONCE = 4_096
"""Patches that one upload stores; sending the file again delivers the next ones."""


class FileUse(StrEnum):
    """Result of a file."""

    USED = "used"
    """At least one patch, or a part of one, was taken from it, now or before."""
    REFUSED = "refused"
    """Nothing was taken from it."""
    IGNORED = "ignored"
    """It was not tried, because it is not imagery."""


class SingleBandError(InvalidInputError):
    """A file in an archive that has too few bands to be a colour image."""

    code = "single-band"
    title = "The file is not a colour image"


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """A file of an upload: `name` is its path in the archive, None for an upload that is no archive."""

    name: str | None
    size: int  # bytes
    use: FileUse
    sha256: str | None = None
    problem: LoupeError | None = None
    ignored: str | None = None  # the reason, a sentence
    checks: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The patches that an upload may deliver, in plan order, with the files that each has already."""

    places: Sequence[Place]
    files: Mapping[Place, Sequence[FileVersion]]
    target: Target
    delivery_bands: str | None


@dataclass(frozen=True, kw_only=True)
class Collected:
    """The result for each patch that the files of an upload show. The first file that fits a patch wins."""

    ready: dict[Place, CheckedPatch] = field(default_factory=dict)
    """Accepted patches; `judge_together` completes their checks when all files are read."""
    cuts: dict[Place, CutPatch] = field(default_factory=dict)
    already: dict[Place, str] = field(default_factory=dict)
    """SHA-256 of the file that was delivered for the patch before."""
    refused: dict[Place, LoupeError] = field(default_factory=dict)
    parts: dict[Place, list[FilePart]] = field(default_factory=dict)
    """Parts of patches that no file of the upload covers, in the order of the files."""
    partly: dict[Place, PartlyCovered] = field(default_factory=dict)
    left: list[Place] = field(default_factory=list)
    """Covered patches beyond `MOST_AT_ONCE`."""
    reports: list[FileReport] = field(default_factory=list)


def collect(
    collected: Collected,
    wanted: Wanted,
    spooled: SpooledFile,
    read_as: ReadAs,
    limits: Limits,
    folder: Path,
    name: str | None = None,
) -> None:
    """Try one GeoTIFF: add its patches to `collected`, and keep the file in `folder` if any of them is new.

    Errors of the file are reported, those of the service (5xx) are raised.
    """
    try:
        with mapped(spooled.path) as body:
            if name is not None:
                _check_colour(body, limits)
            file = decode_file(body, read_as, wanted.delivery_bands, limits)
        new, known, parts = _take_patches(collected, wanted, spooled, file, read_as)
    except LoupeError as error:
        if error.status >= 500:
            raise
        report = FileReport(
            name=name,
            size=spooled.size,
            sha256=spooled.sha256,
            use=FileUse.REFUSED,
            problem=error.without_frames(),
        )
        if isinstance(error, SingleBandError):
            report = FileReport(name=name, size=spooled.size, use=FileUse.IGNORED, ignored=error.detail)
        collected.reports.append(report)
        return
    if new or parts:
        keep(folder, spooled)  # on disk before the rows that name it
    use = FileUse.USED if new or known or parts else FileUse.REFUSED
    collected.reports.append(
        FileReport(name=name, size=spooled.size, sha256=spooled.sha256, use=use, checks=file.checks)
    )


@contextmanager
def mapped(path: Path) -> Iterator[bytes]:
    """Map a file into memory, so that the pre-flight reads only the pages that it needs.

    A map offers what the pre-flight uses of bytes: length, slices, and access by struct and numpy.
    """
    with path.open("rb") as file:
        if not path.stat().st_size:
            yield b""  # an empty file cannot be mapped
            return
        yield cast(bytes, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _check_colour(body: bytes, limits: Limits) -> None:
    bands = check_structure(body, limits).bands
    if bands < 3:
        raise SingleBandError(
            f"It has {bands} band{'s' * (bands > 1)}, and a colour image has at least 3; it may be a mask, a "
            "panchromatic or an elevation file.",
            bands=bands,
        )


def _take_patches(
    collected: Collected, wanted: Wanted, spooled: SpooledFile, file: DecodedFile, read_as: ReadAs
) -> tuple[int, int, int]:
    """Add the patches that a file shows and no earlier file of the upload did.

    Returns how many are new, how many were delivered by the same bytes, and of how many it shows a part.
    """
    places = [one for one in wanted.places if one not in collected.ready and one not in collected.already]
    if not places:
        raise NoPatchCoveredError(
            f"Other files of the upload show all {len(wanted.places)} patches already, so none was taken "
            "from this file. To prefer this file, send it by itself."
        )
    found = find_patches(file, wanted.target, places, accept_unlike=read_as.accept_unlike)
    if not (found.covered or found.partly):
        raise nothing_covered(file, wanted.target.grid, places)
    known_file = {place for place in found.covered if _has_file(wanted, place, spooled.sha256)}
    # A file that was accepted once stays accepted: the same bytes again change nothing.
    if not (read_as.accept_unlike or known_file):
        check_colours(file, len(found.covered))
    new = known = 0
    for place in found.covered:
        if place in known_file:
            collected.already[place] = spooled.sha256
            collected.parts.pop(place, None)
            known += 1
        elif len(collected.ready) >= MOST_AT_ONCE:
            collected.left.append(place)
        else:
            new += _cut(collected, wanted.target, spooled, file, place, read_as)
    parts = sum(_cut_part(collected, wanted.target, spooled, file, one, read_as) for one in found.partly)
    return new, known, parts


def _has_file(wanted: Wanted, place: Place, sha256: str) -> bool:
    return any(one.sha256 == sha256 for one in wanted.files.get(place, ()))


def _cut(
    collected: Collected,
    target: Target,
    spooled: SpooledFile,
    file: DecodedFile,
    place: Place,
    read_as: ReadAs,
) -> bool:
    """Cut one patch and return whether it was accepted."""
    try:
        cut = cut_patch(file, target, place, accept_unlike=read_as.accept_unlike)
    except LoupeError as error:
        collected.refused[place] = error.without_frames()
        return False
    collected.refused.pop(place, None)
    collected.parts.pop(place, None)
    collected.ready[place] = CheckedPatch(
        place=place, sha256=spooled.sha256, size=spooled.size, pixels=cut.pixels, checks=cut.checks
    )
    collected.cuts[place] = cut
    return True


def _cut_part(
    collected: Collected,
    target: Target,
    spooled: SpooledFile,
    file: DecodedFile,
    place: Place,
    read_as: ReadAs,
) -> bool:
    """Cut the part of a patch that a file shows and return whether it was accepted."""
    if sum(map(len, collected.parts.values())) >= MOST_AT_ONCE:  # bounds the memory
        if place not in collected.left and place not in collected.parts:
            collected.left.append(place)
        return False
    try:
        part = cut_part(file, target, place, accept_unlike=read_as.accept_unlike)
    except LoupeError as error:
        collected.refused.setdefault(place, error.without_frames())
        return False
    warnings = [one.to_json() for one in file.imagery.warnings]
    found = FilePart(
        sha256=spooled.sha256, size=spooled.size, part=part, checks=file.checks | {"warnings": warnings}
    )
    same = collected.parts.setdefault(place, [])
    if len(same) < MOST_PARTS and not any(found.is_same(one) for one in same):
        same.append(found)
    return True
