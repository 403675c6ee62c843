"""What a client may ask of a plan: options in the query, the scene in the body."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile

from models.manifest import Manifest
from service.errors import InvalidInputError, LoupeError
from service.money import Money
from service.plans.objectives import (
    CostWeight,
    MaxCost,
    MaxPatches,
    Objective,
    Policy,
    TargetAccuracy,
    threshold_for,
)
from service.pricing.examples import NO_MINIMUM

RAW = {"image/tiff", "application/octet-stream"}
MULTIPART = "multipart/form-data"
Kind = Literal["policy", "lambda", "max_cost", "max_patches", "target_accuracy"]


class MediaTypeError(LoupeError):
    """The body is neither a GeoTIFF nor a form with one."""

    status = 415
    code = "unsupported-media-type"
    title = "Send the scene as a GeoTIFF"
    headers: ClassVar[dict[str, str]] = {"Accept-Post": f"image/tiff, application/octet-stream, {MULTIPART}"}


class ObjectiveError(InvalidInputError):
    """The objective and its number do not fit together."""

    code = "objective-unclear"
    title = "What should the plan optimise?"


class AccuracyUnreachableError(InvalidInputError):
    """The bundle never reached the accuracy asked for where it was evaluated."""

    code = "accuracy-unreachable"
    title = "The bundle does not reach this accuracy"


class PlanOptions(BaseModel):
    """How to plan a scene."""

    model_config = ConfigDict(extra="forbid")

    price_list: str = Field(NO_MINIMUM, max_length=64, description="name (its newest version) or id")
    objective: Kind | None = Field(
        None,
        description="what to optimise; without it, what the number given says, else `policy`: the patches "
        "whose utility reaches the bundle's threshold",
    )
    cost_weight: float | None = Field(
        None,
        alias="lambda",
        ge=0,
        le=1e9,
        allow_inf_nan=False,
        description="utility that one unit of money must bring: maximises the sum of utilities minus "
        "lambda times the bill",
    )
    max_cost: str | None = Field(
        None,
        pattern=r"^\d{1,12}(\.\d{1,3})?$",
        examples=["50.00"],
        description="the most to spend, in the price list's currency",
    )
    max_patches: int | None = Field(None, ge=0, le=10**9, description="the most patches to buy")
    target_accuracy: float | None = Field(
        None,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="the least accuracy to expect, as measured where the bundle was evaluated; buys no more "
        "than that took",
    )
    bands: str | None = Field(
        None, max_length=50, examples=["4,3,2"], description="red, green, blue, counted from 1"
    )
    radiometry: str | None = Field(None, max_length=50, description="how values become colours")
    bundle: str | None = Field(
        None, max_length=200, description="refuse unless this bundle is served: name, name@version or sha256"
    )

    def objective_in(self, currency: str, manifest: Manifest) -> Objective:
        """Return the objective for a bundle. ObjectiveError, AccuracyUnreachableError."""
        wanted = self._kind()
        if wanted == "policy":
            return Policy(threshold=manifest.threshold)
        if self.cost_weight is not None:
            return CostWeight(per_unit=self.cost_weight)
        if self.max_cost is not None:
            return MaxCost(limit=Money.parse(self.max_cost, currency))
        if self.max_patches is not None:
            return MaxPatches(patches=self.max_patches)
        if self.target_accuracy is not None:
            return _reaching(self.target_accuracy, manifest)
        raise ObjectiveError(f"the objective {wanted} needs a number: {wanted}=...", objective=wanted)

    def _kind(self) -> Kind:
        numbers: dict[Kind, object] = {
            "lambda": self.cost_weight,
            "max_cost": self.max_cost,
            "max_patches": self.max_patches,
            "target_accuracy": self.target_accuracy,
        }
        given = [kind for kind, number in numbers.items() if number is not None]
        wanted: Kind = self.objective or (given[0] if given else "policy")
        if extra := [kind for kind in given if kind != wanted]:
            raise ObjectiveError(
                f"a plan has one objective: {wanted} was asked for, but {', '.join(extra)} is given too",
                objective=wanted,
                given=given,
            )
        return wanted


def _reaching(accuracy: float, manifest: Manifest) -> TargetAccuracy:
    point = threshold_for(accuracy, manifest.curve)
    if point is None:
        best = max((point.accuracy for point in manifest.curve), default=None)
        reached = (
            "was released without an evaluation" if best is None else f"reached {100 * best:.1f} % at best"
        )
        raise AccuracyUnreachableError(
            f"{100 * accuracy:g} % was asked for; the bundle {manifest.name} {manifest.version} {reached}",
            target_accuracy=accuracy,
            best_accuracy=best,
        )
    return TargetAccuracy(accuracy=accuracy, threshold=point.threshold, measured=point.accuracy)


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A scene as it came, and the options of a form's `params` part, if any."""

    body: bytes
    params: str | None = None

    def merged(self, options: PlanOptions) -> PlanOptions:
        """Return the options of the query, overridden by those of the form."""
        if self.params is None:
            return options
        try:
            given = PlanOptions.model_validate_json(self.params)
        except ValidationError as error:
            raise _in_params(error) from error
        both = [one.model_dump(by_alias=True, exclude_unset=True) for one in (options, given)]
        return PlanOptions.model_validate(both[0] | both[1])


async def read_upload(request: Request) -> Upload:
    """Read the body, which the body cap bounds: raw, or a form with `scene` and perhaps `params`."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in RAW:
        return Upload(body=await request.body())
    if media_type != MULTIPART:
        raise MediaTypeError(
            f"the body's type is {media_type or 'not given'}; send the GeoTIFF itself as image/tiff, "
            "or a form with a file 'scene'"
        )
    async with request.form(max_files=1, max_fields=1) as form:
        scene, params = form.get("scene"), form.get("params")
        if not isinstance(scene, UploadFile):
            raise RequestValidationError([_fault(("body", "scene"), "missing", "A file 'scene' is needed.")])
        return Upload(body=await scene.read(), params=params if isinstance(params, str) else None)


UploadDep = Annotated[Upload, Depends(read_upload)]


def _in_params(error: ValidationError) -> RequestValidationError:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return RequestValidationError(
        [_fault(("body", "params", *fault["loc"]), fault["type"], fault["msg"]) for fault in faults]
    )


def _fault(location: tuple[str | int, ...], code: str, message: str) -> dict[str, Any]:
    return {"loc": location, "type": code, "msg": message, "input": None}
