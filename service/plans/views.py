"""What is derived from a stored plan: documents, curve, picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from service.bundles.card import accuracy_source, check_same_bundle, images_measured
from service.bundles.predictor import Predictor
from service.errors import InvalidInputError
from service.planner import decider
from service.planner.curve import cost_curve, nearest
from service.planner.reasons import PATCH_REASONS
from service.plans.arrays import PlanArrays
from service.plans.features import collection, patch_features, shape_features
from service.plans.preview import draw_preview
from service.plans.reading import grid_of, read_again
from service.plans.schemas import TILES_INLINE
from service.plans.tables import Plan, Scene
from service.pricing.repository import find_price_list, terms_of
from service.settings import Settings
from service.web.paging import MoneyOut, decode_cursor, encode_cursor, page_links


@dataclass(frozen=True)
class TilePage:
    """Which tiles of a plan: `limit` from number `first`."""

    first: int
    limit: int


def tile_page(
    limit: Annotated[int, Query(ge=1, le=TILES_INLINE, description="tiles in a page")] = TILES_INLINE,
    cursor: Annotated[str | None, Query(max_length=200, description="from the link `next`")] = None,
) -> TilePage:
    """Read `limit` and `cursor` from the query; 422 when they are not of this list."""
    if cursor is None:
        return TilePage(0, limit)
    try:
        (word, first) = decode_cursor(cursor)
        if word != "tile" or not first.isascii() or not first.isdigit():
            raise ValueError("a cursor of another list")
        return TilePage(int(first), limit)
    except ValueError as error:
        raise InvalidInputError("This cursor did not come from this list.", cursor=cursor) from error


TilePageDep = Annotated[TilePage, Depends(tile_page)]


def patches_document(
    request: Request, session: Session, plan: Plan, scene: Scene, page: TilePage
) -> dict[str, Any]:
    """The patches of a page of tiles as a FeatureCollection with links, and what their reasons mean."""
    end = min(page.first + page.limit, plan.tiles)
    following = encode_cursor("tile", str(end)) if end < plan.tiles else None
    links = [link.model_dump(exclude_none=True) for link in page_links(request, following)]
    terms = terms_of(find_price_list(session, plan.workspace_id, plan.price_list_id))
    features = patch_features(plan, scene, range(min(page.first, end), end), terms)
    return collection(features, links=links, reasons=PATCH_REASONS)


def shapes_document(session: Session, plan: Plan, scene: Scene) -> dict[str, Any]:
    """The order shapes of a plan as a FeatureCollection, with what the provider bills for them."""
    chosen = plan.bill["chosen"]
    terms = terms_of(find_price_list(session, plan.workspace_id, plan.price_list_id))
    return collection(
        shape_features(plan, scene, terms),
        area_km2=chosen["area_km2"],
        billable_km2=chosen["billable_km2"],
        cost=MoneyOut.minor(plan.cost_minor, plan.currency).model_dump(),
    )


class CurvePointOut(BaseModel):
    """One threshold: what this scene would cost, and what accuracy the bundle measured there."""

    threshold: float
    patches: int = Field(description="bought, the free ones included")
    cost: MoneyOut
    saving: MoneyOut = Field(description="billable: the bill for everything minus this one")
    expected_accuracy: float
    interval: tuple[float, float] | None = Field(
        description="95 % (Wilson), by the number of images; null where the bundle does not say it"
    )
    chosen: bool = Field(description="the point nearest to this plan")


class CurveOut(BaseModel):
    """Cost against expected accuracy, cheapest first."""

    points: list[CurvePointOut]
    images: int | None = Field(description="how many the accuracy was measured on")
    source: str = Field(description="where the accuracy comes from, in words")


def curve_of(session: Session, plan: Plan, scene: Scene, predictor: Predictor) -> CurveOut:
    """Slide the threshold over a stored plan. BundleChangedError when its bundle is not served any more."""
    check_same_bundle(plan.provenance, predictor)
    price_list = find_price_list(session, plan.workspace_id, plan.price_list_id)
    arrays, grid = PlanArrays.of(plan), grid_of(scene)
    decide = decider(
        arrays.utilities, arrays.eligible, grid.patch_areas_m2(), terms_of(price_list), grid.columns
    )
    images = images_measured(predictor.manifest)
    curve = cost_curve(decide, predictor.manifest.curve, images)
    chosen = nearest(
        curve, plan.bill["wanted"], plan.objective.get("threshold", predictor.manifest.threshold)
    )
    points = [
        CurvePointOut(
            threshold=point.threshold,
            patches=point.patches,
            cost=MoneyOut.of(point.cost),
            saving=MoneyOut.of(point.saving),
            expected_accuracy=point.expected_accuracy,
            interval=point.interval,
            chosen=at == chosen,
        )
        for at, point in enumerate(curve)
    ]
    return CurveOut(points=points, images=images, source=accuracy_source(predictor))


def preview_png(plan: Plan, scene: Scene, blobs: Path, settings: Settings) -> bytes:
    """Read the scene's stored bytes again and draw the plan on them."""
    imagery, arrays = read_again(scene, blobs, settings), PlanArrays.of(plan)
    return draw_preview(imagery.rgb, imagery.transform, grid_of(scene), arrays.selected, arrays.filled)
