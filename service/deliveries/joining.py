"""Patches at the seams of several files, joined from the part that each file shows. Opens no session."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from service.deliveries.decoding import PLACING, CutPatch, DecodedFile, Target, compare_cut
from service.deliveries.settling import CheckedPatch
from service.errors import ConflictError, LoupeWarning
from service.imagery.geojson import Geometry
from service.imagery.lattice import uncovered
from service.imagery.likeness import compare_with_scene, judge
from service.imagery.parts import (
    PatchPart,
    brightness,
    choose_parts,
    covers,
    join_parts,
    lacking_in_all,
    over_scene,
    place_part,
)
from service.imagery.patch_files import write_patch
from service.orders.checklist import Place

_REFUSED_RATIO, _DOUBTED_RATIO = 2.5, 1.6  # of the brightness of two parts, each over the scene's

_REMEDY = "Ask the provider for tiles of one product, or state radiometry= for the file that is wrong."


class PartsUnlikeError(ConflictError):
    """A patch whose files are different products, so that they do not make up one picture."""

    code = "parts-unlike"
    title = "The files that show the patch are not alike"


@dataclass(frozen=True, kw_only=True)
class FilePart:
    """The part of a patch that one delivered file shows."""

    sha256: str
    size: int  # bytes of the file
    part: PatchPart
    checks: Mapping[str, Any]

    def is_same(self, other: "FilePart") -> bool:
        """Say whether both parts come from the same bytes, read in the same way."""
        return (
            self.sha256 == other.sha256
            and np.array_equal(self.part.pixels, other.part.pixels)
            and np.array_equal(self.part.weights, other.part.weights)
            and np.array_equal(self.part.lacking, other.part.lacking)
        )


@dataclass(frozen=True, kw_only=True)
class PartlyCovered:
    """A patch of which all files so far show too little, and the ground that is missing."""

    place: Place
    covered: float  # share of the area
    remainder: Geometry = field(repr=False)  # RFC 7946, EPSG:4326
    files: tuple[str, ...]  # digests of the files that show a part of it


@dataclass(frozen=True, kw_only=True)
class JoinedPatch:
    """A patch that was joined and accepted; `body` is the GeoTIFF that it is stored as."""

    cut: CutPatch
    patch: CheckedPatch
    body: bytes = field(repr=False)


def cut_part(file: DecodedFile, target: Target, place: Place, *, accept_unlike: bool) -> PatchPart:
    """Cut what a file shows of a patch; the rest of the patch is taken as it is in the scene and compared.

    Errors: patch-too-coarse, and unless `accept_unlike` is set patch-unlike-scene.
    """
    with PLACING:
        part = place_part(
            file.imagery, target.grid, *place, target.size, target.scene, keep_collar=accept_unlike
        )
    tile = target.scene[place[0]]
    if not accept_unlike:
        judge(compare_with_scene(over_scene(part, tile), tile))  # only its refusal matters here
    return part


def partly_covered(target: Target, place: Place, parts: Sequence[FilePart]) -> PartlyCovered | None:
    """Return what some parts of a patch lack together, None when they cover it."""
    lacking = lacking_in_all([one.part for one in parts])
    if covers(lacking):
        return None
    return PartlyCovered(
        place=place,
        covered=round(1 - float(lacking.mean()), 4),
        remainder=uncovered(lacking, target.grid, *place),
        files=tuple(dict.fromkeys(one.sha256 for one in parts)),
    )


def join_patch(
    target: Target, place: Place, parts: Sequence[FilePart], *, accept_unlike: bool
) -> JoinedPatch:
    """Join parts that cover a patch, the preferred first, and compare the patch with the scene.

    Errors unless `accept_unlike` is set: parts-unlike, patch-unlike-scene.
    """
    used = [parts[at] for at in choose_parts([one.part for one in parts])]
    placed = join_parts([one.part for one in used])
    doubts = _alike(used, target, place, accept_unlike=accept_unlike)
    joined_from = [
        {"sha256": one.sha256, "size": one.size, **one.checks, "covered": round(one.part.covered, 4)}
        for one in used
    ]
    cut = compare_cut(
        placed,
        target,
        place,
        checks={"joined_from": joined_from},
        of_file=(*_warnings_of(used), *doubts),
        accept_unlike=accept_unlike,
    )
    with PLACING:
        body = write_patch(placed.pixels, target.grid, *place)
    sha256 = hashlib.sha256(body).hexdigest()
    patch = CheckedPatch(place=place, sha256=sha256, size=len(body), pixels=placed.pixels, checks=cut.checks)
    return JoinedPatch(cut=cut, patch=patch, body=body)


def _warnings_of(parts: Sequence[FilePart]) -> list[LoupeWarning]:
    """Return the warnings of the files, each once."""
    found = [warning for one in parts for warning in one.checks.get("warnings", ())]
    return [LoupeWarning(**warning) for at, warning in enumerate(found) if warning not in found[:at]]


def _alike(
    parts: Sequence[FilePart], target: Target, place: Place, *, accept_unlike: bool
) -> tuple[LoupeWarning, ...]:
    """Compare how bright the parts are over the scene: files of one product differ little."""
    measured = [(brightness(one.part, target.scene[place[0]]), one) for one in parts]
    known = sorted(((light, one) for light, one in measured if light is not None), key=lambda one: one[0])
    if len(known) < 2:
        return ()
    (dim, darker), (light, brighter) = known[0], known[-1]
    ratio = light / max(dim, 1e-3)
    if ratio < _DOUBTED_RATIO:
        return ()
    figures = {"ratio": round(ratio, 2), "files": [darker.sha256, brighter.sha256]}
    detail = (
        f"The files that show patch {place[1]} of tile {place[0]} differ in brightness by a factor of "
        f"{ratio:.1f}: {brighter.sha256[:12]} has {light:.0%} of the "
        f"scene's, {darker.sha256[:12]} {dim:.0%}."
    )
    if ratio >= _REFUSED_RATIO and not accept_unlike:
        raise PartsUnlikeError(f"{detail} They look like different products. {_REMEDY}", **figures)
    return (LoupeWarning(code="patch-parts-differ", detail=f"{detail} Look at the seam.", figures=figures),)
