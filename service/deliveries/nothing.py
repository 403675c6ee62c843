"""The error of an upload that delivered nothing."""

from typing import Any

from service.deliveries.collecting import Collected, FileUse
from service.errors import ConflictError, LoupeError

NAMED = 100
"""Refused patches and files that an error lists."""


class NothingDeliveredError(ConflictError):
    """An upload whose files cover patches, none of which was accepted."""

    code = "nothing-delivered"
    title = "Nothing was delivered"


def nothing_delivered(collected: Collected) -> LoupeError:
    """Return the error of an upload that delivered nothing: the only cause, or a summary of several."""
    tried = [one for one in collected.reports if one.use is not FileUse.IGNORED]
    causes = [one.problem for one in tried if one.problem is not None]
    if len(tried) == 1 and causes:
        return causes[0]
    figures = _figures(collected)
    if not tried:
        return NothingDeliveredError(
            f"None of the {len(collected.reports)} files of the archive is a colour GeoTIFF.", **figures
        )
    if collected.refused:
        place, first = next(iter(sorted(collected.refused.items(), key=lambda one: one[0])))
        return NothingDeliveredError(
            f"None of the {len(collected.refused)} covered patches was accepted. Patch {place[1]} of tile "
            f"{place[0]}: {first.detail}",
            **figures,
        )
    if collected.parts:
        return NothingDeliveredError(
            f"The upload shows only parts of {len(collected.parts)} patches that a single file delivered "
            "before. Nothing changed. Send a file that shows them whole to supersede it.",
            **figures,
        )
    first_cause = f" The first: {causes[0].detail}" if causes else ""
    return NothingDeliveredError(
        f"None of the {len(tried)} GeoTIFFs delivered a patch.{first_cause}", **figures
    )


def _figures(collected: Collected) -> dict[str, Any]:
    return {
        "refused": [
            {"tile": place[0], "patch": place[1], "problem": dict(error.problem())}
            for place, error in sorted(collected.refused.items(), key=lambda one: one[0])[:NAMED]
        ],
        "files": [
            {
                "name": one.name,
                "use": one.use,
                "detail": one.ignored or (one.problem.detail if one.problem else "No patch was accepted."),
            }
            for one in collected.reports[:NAMED]
        ],
    }
