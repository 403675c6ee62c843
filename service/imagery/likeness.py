"""The comparison of a delivered patch with the low-resolution (LR) pixels that it was bought for."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID
from service.errors import ConflictError, LoupeWarning
from service.imagery.placement import PlacedPatch
from service.imagery.registration import LEAST_PX, Registration, lr_side, register
from service.imagery.resemblance import CELLS, GapOdds, Misfits, average_cells, measure_misfits, weigh_gap

OVERRIDE = "accept_unlike=true (loupe deliver --accept-unlike)"
BLACK, WHITE = 3, 252
"""Largest value of a black pixel, and smallest of a white one, in every colour."""

_DARKER, _BRIGHTER = 0.6, 40.0  # factor and counts beyond which black or white pixels change a cell's mean
_LIT = 25.0  # smallest brightness of the scene that is not dark ground
_CERTAINLY_LIT, _CERTAINLY_NOT_WHITE = 45.0, 150.0  # brightness of the scene; haze makes water up to 40
_DIMLY_LIT = 12.0  # smallest brightness of a cell that may be in doubt; water is darker in many products
_REFUSED_SHARE = 0.3  # of a patch that is black or white where the scene is not
_DOUBTED_SHARE = 0.05
_REFUSED_DIM, _DOUBTED_DIM = 0.15, 0.4  # brightness over the scene's
_DOUBTED_BRIGHT = 3.0
_DOUBTED_MISFIT = 35.0
_DOUBTED_DISPLACED = 1.5
_DOUBTED_SWAPPED = 1.5
_GAP_ELSEWHERE, _GAP_REORDERED = 9.0, 1.5  # logarithms of likelihood ratios
_DISPLACED_PX = 1.6  # LR pixels; other sensors' georeferencing may differ by one on each axis
_DISPLACED_NEAR, _DISPLACED_FAR = 1.15, 1.5  # ratio of unexplained variances; chance decides among far places
_NEAR_PX = 6.0
_UNLIKE_CORRELATION, _LEAST_CONTRAST = 0.5, 3.0  # the contrast in counts
_FLAT, _FLAT_OFFSET = 0.5, 8.0  # counts; a picture of ground has a larger spread


class PatchUnlikeSceneError(ConflictError):
    """A delivered patch that cannot show the ground that it was bought for."""

    code = "patch-unlike-scene"
    title = "The delivered patch does not look like the scene"


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """The figures of a comparison; colours are red, green, blue of 0..255."""

    mean: tuple[float, float, float]  # of the delivered patch
    scene_mean: tuple[float, float, float]
    spread: float  # standard deviation of the delivered pixels' brightness
    scene_spread: float
    correlation: float  # of the 12 colours of 2 x 2 cells with the scene's
    black: float  # share of the patch that is black where the scene is not dark
    white: float  # share of the patch that is white where the scene is not bright
    misfit: float  # of the patch with its place (`resemblance`); about 12 where only noise differs
    misfit_elsewhere: float  # of the patch with the place of the tile that it fits best
    offset_cells: tuple[float, float]  # of that place, to the right and down, in halves of a patch
    misfit_reordered: float  # of the patch with its bands in the order that fits best
    order: tuple[int, int, int]  # that order: the file's colour (1 red, 2 green, 3 blue) for each
    cells: tuple[float, ...]  # the 12 colours of the patch's 2 x 2 cells
    gap: GapOdds | None = None  # of patches of few LR pixels, if another sensor took the scene
    place: Registration | None = None  # of patches of at least 6 x 6 LR pixels

    @property
    def light(self) -> float:
        """Mean brightness of the delivered patch."""
        return sum(self.mean) / 3

    @property
    def scene_light(self) -> float:
        """Mean brightness of the scene there."""
        return sum(self.scene_mean) / 3

    @property
    def displaced(self) -> float:
        """Ratio of the misfit to that of the best other place."""
        return _misfits(self).displaced

    @property
    def swapped(self) -> float:
        """Ratio of the misfit to that of the best other order of the bands."""
        return _misfits(self).swapped

    def figures(self) -> dict[str, Any]:
        """Return plain values for documents."""
        return asdict(self)


def compare_with_scene(placed: PlacedPatch, tile: NDArray[np.uint8]) -> Likeness:
    """Compare a placed patch with the LR pixels (3, n, n) of its tile."""
    row, column = placed.patch % GRID * CELLS, placed.patch // GRID * CELLS
    scene = average_cells(tile, CELLS * GRID)[row : row + CELLS, column : column + CELLS]
    found = average_cells(placed.pixels, CELLS)
    misfits = measure_misfits(placed.pixels, tile, placed.patch)
    large = lr_side(tile) >= LEAST_PX
    return Likeness(
        mean=_colour(found),
        scene_mean=_colour(scene),
        spread=round(float(placed.pixels.mean(axis=0).std()), 2),
        scene_spread=round(float(scene.mean(axis=2).std()), 2),
        correlation=_correlation(found, scene),
        black=_share(placed.pixels.max(axis=0) <= BLACK, _is_darker(found, scene)),
        white=_share(placed.pixels.min(axis=0) >= WHITE, _is_brighter(found, scene)),
        misfit=round(misfits.own, 1),
        misfit_elsewhere=round(misfits.elsewhere, 1),
        offset_cells=(round(misfits.right, 2), round(misfits.down, 2)),
        misfit_reordered=round(misfits.reordered, 1),
        order=_counted(misfits.order),
        cells=tuple(round(float(one), 1) for one in found.ravel()),
        gap=None if large else weigh_gap(placed.pixels, tile, placed.patch),
        place=register(placed.pixels, tile, placed.patch) if large else None,
    )


def judge(likeness: Likeness, *, sensors_differ: bool = False) -> tuple[LoupeWarning, ...]:
    """Return the doubts about a patch; raise 409 `patch-unlike-scene` when it cannot be the one ordered.

    `sensors_differ` says that another sensor took the scene, as `siblings` finds. Patches of at least 6 x 6
    LR pixels are judged without it.
    """
    if reason := impossible(likeness):
        raise PatchUnlikeSceneError(
            f"{reason} The patch is not paid. Ask the provider for another file, check bands= and "
            f"radiometry=, or keep the file all the same with {OVERRIDE}.",
            **likeness.figures(),
        )
    doubt = _doubt(likeness, sensors_differ)
    if doubt is None:
        return ()
    code, sentence = doubt
    detail = f"{sentence} Look at the file before you use it; a better file can be delivered again."
    return (LoupeWarning(code=code, detail=detail, figures=likeness.figures()),)


def impossible(likeness: Likeness) -> str | None:
    """Return the sentence that says why the patch cannot be the one ordered."""
    colours = f"its mean colour is {_told(likeness.mean)}, and the scene's {_told(likeness.scene_mean)}."
    lit, bright = likeness.scene_light >= _CERTAINLY_LIT, likeness.scene_light > _CERTAINLY_NOT_WHITE
    if lit and likeness.black >= _REFUSED_SHARE:
        return f"{likeness.black:.0%} of the delivered patch is black where the scene is not dark: {colours}"
    if not bright and likeness.white >= _REFUSED_SHARE:
        return f"{likeness.white:.0%} of the delivered patch is white where the scene is not: {colours}"
    if lit and likeness.light <= _REFUSED_DIM * likeness.scene_light:
        return f"The delivered patch is nearly black: {colours}"
    return None


def _doubt(likeness: Likeness, sensors_differ: bool) -> tuple[str, str] | None:
    """Return the code and the sentence of the first doubt."""
    doubt = _blank(likeness) or _brightness(likeness)
    if likeness.place is not None:
        elsewhere = likeness.place.gain if likeness.place.distance > _DISPLACED_PX else 0
        return doubt or _bands(likeness, elsewhere) or _registered(likeness, likeness.place)
    if sensors_differ and likeness.gap is not None:
        return doubt or _across_gap(likeness.gap)
    return doubt or _bands(likeness, likeness.displaced) or _place(likeness)


def _blank(likeness: Likeness) -> tuple[str, str] | None:
    for share, name in ((likeness.black, "black"), (likeness.white, "white")):
        if share >= _DOUBTED_SHARE:
            return "patch-partly-blank", f"{share:.0%} of the patch is {name} where the scene is not."
    differs = likeness.scene_spread >= _FLAT or abs(likeness.light - likeness.scene_light) >= _FLAT_OFFSET
    if likeness.spread < _FLAT and differs:
        return "patch-flat", f"Every pixel of the patch has nearly the same colour ({_told(likeness.mean)})."
    return None


def _brightness(likeness: Likeness) -> tuple[str, str] | None:
    dim = likeness.scene_light >= _LIT and likeness.light <= _DOUBTED_DIM * likeness.scene_light
    if not dim and likeness.light < _DOUBTED_BRIGHT * max(likeness.scene_light, _LIT):
        return None
    return (
        "patch-brightness",
        f"The patch has {likeness.light / max(likeness.scene_light, 1):.0%} of the scene's brightness. State "
        "the meaning of its pixel values with radiometry=.",
    )


def _bands(likeness: Likeness, displaced: float) -> tuple[str, str] | None:
    if likeness.swapped < max(_DOUBTED_SWAPPED, displaced):
        return None
    return _swapped(f"{likeness.swapped:.1f} times better", likeness.order)


def _swapped(better: str, order: tuple[int, int, int]) -> tuple[str, str]:
    return (
        "patch-bands-swapped",
        f"The colours fit the scene {better} in the order {','.join(map(str, order))} of red, green and "
        "blue as they were read. State the bands of the file with bands=R,G,B.",
    )


def _across_gap(gap: GapOdds) -> tuple[str, str] | None:
    """Return the doubt about a patch of few LR pixels whose scene another sensor took."""
    if gap.reordered >= max(_GAP_REORDERED, gap.elsewhere):
        return _swapped("better", _counted(gap.order))
    if gap.elsewhere >= _GAP_ELSEWHERE:
        return (
            "patch-displaced",
            "The patch fits other places of its tile far better than its own, even if another sensor took "
            "the scene.",
        )
    return None


def _registered(likeness: Likeness, place: Registration) -> tuple[str, str] | None:
    """Return the doubt about the place of a patch of many LR pixels."""
    ratio = _DISPLACED_NEAR if place.distance <= _NEAR_PX else _DISPLACED_FAR
    if place.distance > _DISPLACED_PX and place.gain >= ratio:
        return (
            "patch-displaced",
            f"The patch fits the scene better {_pixels(place.right, 'right', 'left')} and "
            f"{_pixels(place.down, 'down', 'up')} of its place: the correlation is "
            f"{place.best:.2f} there and {place.own:.2f} at its place.",
        )
    if place.own < _UNLIKE_CORRELATION and place.contrast >= _LEAST_CONTRAST:
        means = f"mean colour {_told(likeness.mean)}, scene {_told(likeness.scene_mean)}"
        return (
            "patch-unlike-scene",
            f"The patch's pixels correlate with the scene's by only {place.own:.2f} ({means}).",
        )
    return None


def _place(likeness: Likeness) -> tuple[str, str] | None:
    right, down = likeness.offset_cells
    if likeness.displaced >= _DOUBTED_DISPLACED:
        return (
            "patch-displaced",
            f"The patch fits the scene {likeness.displaced:.1f} times better "
            f"{_steps(right, 'right', 'left')} and {_steps(down, 'down', 'up')} of its place.",
        )
    if likeness.misfit >= _DOUBTED_MISFIT:
        means = f"mean colour {_told(likeness.mean)}, scene {_told(likeness.scene_mean)}"
        return "patch-unlike-scene", f"The patch differs from the scene more than seasons explain ({means})."
    return None


def _misfits(likeness: Likeness) -> Misfits:
    right, down = likeness.offset_cells
    return Misfits(
        own=likeness.misfit,
        elsewhere=likeness.misfit_elsewhere,
        right=right,
        down=down,
        reordered=likeness.misfit_reordered,
        order=likeness.order,
    )


def _counted(order: tuple[int, int, int]) -> tuple[int, int, int]:
    red, green, blue = (one + 1 for one in order)
    return red, green, blue


def _is_darker(found: NDArray[np.float64], scene: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the cells (2, 2) that lack light: shadows leave the mean of a cell as it is in the scene."""
    light = scene.mean(axis=2)
    return np.asarray((light >= _DIMLY_LIT) & (found.mean(axis=2) <= _DARKER * light))


def _is_brighter(found: NDArray[np.float64], scene: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(found.mean(axis=2) >= scene.mean(axis=2) + _BRIGHTER)


def _share(blank: NDArray[np.bool_], unexpected: NDArray[np.bool_]) -> float:
    """Return the share of a patch (s, s) that is blank within the cells (2, 2) where that is unexpected."""
    size = blank.shape[0]
    cell = np.arange(size) * CELLS // size
    return round(float((blank & unexpected[np.ix_(cell, cell)]).mean()), 4)


def _colour(cells: NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = (round(float(one), 1) for one in cells.reshape(-1, 3).mean(axis=0))
    return red, green, blue


def _correlation(found: NDArray[np.float64], scene: NDArray[np.float64]) -> float:
    if found.std() == 0 or scene.std() == 0:
        return 0.0
    return round(float(np.corrcoef(found.ravel(), scene.ravel())[0, 1]), 3)


def _told(colour: tuple[float, float, float]) -> str:
    return "/".join(f"{one:.0f}" for one in colour)


def _steps(cells: float, ahead: str, behind: str) -> str:
    return f"{abs(cells) / CELLS:.1f} patches {ahead if cells >= 0 else behind}"


def _pixels(offset: float, ahead: str, behind: str) -> str:
    return f"{abs(offset):.1f} LR pixels {ahead if offset >= 0 else behind}"
