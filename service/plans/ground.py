"""Ground that a workspace owns or has on order, and the patches of a scene that need not be bought again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, cast
from uuid import UUID

import numpy as np
from fastapi import Depends, Request
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from service.imagery.coverage import MIN_COVER
from service.imagery.overlap import GridPatches, SharedGround, share_ground
from service.imagery.tile_grid import TileGrid
from service.money import Money

ReuseMode = Literal["owned", "none"]
"""`owned`: patches that are owned or on order are not bought again. `none`: they are."""

Mask = NDArray[np.bool_]  # (T, 16)
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class BoughtGround:
    """N patches that one order bought: all of them delivered, or all of them awaited."""

    order_id: UUID
    order_status: str
    delivered: bool
    patches: GridPatches
    pixel_m: NDArray[np.float64]
    """(N,): side of a pixel of the product in metres."""
    minor: Ints
    """(N,): the money paid and not refunded for a delivered patch, or held for an awaited one."""
    currency: str

    def up_to(self, pixel_m: float) -> "BoughtGround":
        """Return the patches whose pixels are not larger."""
        kept = self.pixel_m <= pixel_m
        grid, tiles, patches = self.patches.grid, self.patches.tiles[kept], self.patches.patches[kept]
        return replace(
            self,
            patches=GridPatches(grid=grid, tiles=tiles, patches=patches),
            pixel_m=self.pixel_m[kept],
            minor=self.minor[kept],
        )


GroundReader = Callable[[Session, UUID, TileGrid], list[BoughtGround]]
"""Reads what a workspace owns or has on order near a grid, patches to be preferred first.

The orders implement it, which build on the plans; the application connects the two.
"""


def get_ground_reader(request: Request) -> GroundReader:
    """Return the application's reader."""
    return cast(GroundReader, request.state.read_ground)


GroundDep = Annotated[GroundReader, Depends(get_ground_reader)]


@dataclass(frozen=True, kw_only=True, eq=False)
class GroundUse:
    """P patches of one order that stand for patches of a scene, wholly or in part."""

    bought: BoughtGround
    ours: Ints
    """(P,): positions in the raveled (T, 16) patches of the scene, rising."""
    theirs: Ints
    """(P,): numbers of the order's patches."""
    share: NDArray[np.float64]
    """(P,): shares of the scene's patch."""

    def paid(self) -> Money:
        """Return the money paid or held for the order's patches."""
        return Money(int(self.bought.minor[np.unique(self.theirs)].sum()), self.bought.currency)

    def cm2(self, areas_cm2: Ints) -> int:
        """Return the scene's area that the patches stand for, by areas (T, 16) of the scene's patches."""
        return int((self.share * areas_cm2.ravel()[self.ours]).sum())


@dataclass(frozen=True, kw_only=True, eq=False)
class MatchedGround:
    """The patches of a scene that are owned, and others that are on order, with the orders they come from."""

    owned: Mask
    on_order: Mask
    uses: tuple[GroundUse, ...]

    @property
    def taken(self) -> Mask:
        """Patches (T, 16) that need not be bought."""
        return self.owned | self.on_order


def match_ground(
    grid: TileGrid, wanted: Mask, bought: Sequence[BoughtGround], coarsest_m: float
) -> MatchedGround:
    """Find which `wanted` patches (T, 16) of a grid are owned or on order, with pixels up to `coarsest_m`.

    A patch counts when 98 % of its area is covered: as owned by delivered patches, otherwise as on order.
    """
    usable = [one.up_to(coarsest_m) for one in bought]
    delivered = [one for one in usable if one.delivered]
    both = delivered + [one for one in usable if not one.delivered]
    from_delivered = _shared(grid, wanted, delivered)
    owned = from_delivered.covered >= MIN_COVER
    from_both = _shared(grid, wanted & ~owned, both)
    on_order = from_both.covered >= MIN_COVER
    uses = (*_uses(from_delivered, delivered, owned), *_uses(from_both, both, on_order))
    return MatchedGround(owned=owned, on_order=on_order, uses=uses)


def _shared(grid: TileGrid, wanted: Mask, sources: Sequence[BoughtGround]) -> SharedGround:
    return share_ground(grid, wanted, [one.patches for one in sources])


def _uses(shared: SharedGround, sources: Sequence[BoughtGround], taken: Mask) -> list[GroundUse]:
    """Return the patches of each source that are needed for the `taken` patches (T, 16)."""
    needed = shared.enough & taken.ravel()[shared.ours]
    parts = [needed & (shared.source == number) for number in range(len(sources))]
    return [
        GroundUse(bought=one, ours=shared.ours[part], theirs=shared.theirs[part], share=shared.share[part])
        for one, part in zip(sources, parts, strict=True)
        if part.any()
    ]
