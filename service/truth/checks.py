"""Checks of true labels against the plan of their order. Pure."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidInputError
from service.truth.schemas import TrueLabelIn

NAMED = 20
"""Most tiles that an error names."""


class TruthTileError(InvalidInputError):
    """True labels for tiles that the order does not label."""

    code = "truth-tile"
    title = "No such tile to label"


class TileRepeatedError(InvalidInputError):
    """True labels that name a tile twice."""

    code = "truth-tile-repeated"
    title = "A tile is given more than once"


class LabelUnknownError(InvalidInputError):
    """True labels that are no class of the plan's bundle."""

    code = "label-unknown"
    title = "The bundle has no such class"


def check_truth(
    given: Sequence[TrueLabelIn], eligible: NDArray[np.bool_], classes: Sequence[str]
) -> dict[int, str | None]:
    """Return the true labels by tile. `eligible` (T,) are those that get labels.

    Errors: truth-tile-repeated, truth-tile, label-unknown.
    """
    twice = [tile for tile, count in Counter(one.tile for one in given).items() if count > 1]
    if twice:
        raise TileRepeatedError(
            f"Tile {twice[0]} is given more than once. Give it once.", tiles=twice[:NAMED]
        )
    beyond = [one.tile for one in given if one.tile >= len(eligible)]
    if beyond:
        raise TruthTileError(
            f"There is no tile {beyond[0]}: the plan has the tiles 0 to {len(eligible) - 1}.",
            tiles=beyond[:NAMED],
        )
    empty = [one.tile for one in given if not eligible[one.tile]]
    if empty:
        raise TruthTileError(
            f"Tile {empty[0]} has too little valid data, so it gets no label. Leave it out.",
            tiles=empty[:NAMED],
        )
    unknown = sorted({one.true_label for one in given if one.true_label is not None} - set(classes))
    if unknown:
        raise LabelUnknownError(
            f"{unknown[0]!r} is no class of the plan's bundle. Its classes are {', '.join(classes)}.",
            labels=unknown[:NAMED],
            classes=list(classes),
        )
    return {one.tile: one.true_label for one in given}
