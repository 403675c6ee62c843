"""What a client may ask of a plan: options in the query, the scene in the body."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from starlette.datastructures import UploadFile

from service.errors import LoupeError
from service.plans.objective_options import ObjectiveOptions
from service.pricing.examples import NO_MINIMUM

RAW = {"image/tiff", "application/octet-stream"}
MULTIPART = "multipart/form-data"


class MediaTypeError(LoupeError):
    """The body is neither a GeoTIFF nor a form with one."""

    status = 415
    code = "unsupported-media-type"
    title = "Send the scene as a GeoTIFF"
    headers: ClassVar[dict[str, str]] = {"Accept-Post": f"image/tiff, application/octet-stream, {MULTIPART}"}


class PlanOptions(ObjectiveOptions):
    """How to plan a scene."""

    price_list: str = Field(NO_MINIMUM, max_length=64, description="name (its newest version) or id")
    bands: str | None = Field(
        None, max_length=50, examples=["4,3,2"], description="red, green, blue, counted from 1"
    )
    radiometry: str | None = Field(None, max_length=50, description="how values become colours")
    bundle: str | None = Field(
        None, max_length=200, description="refuse unless this bundle is served: name, name@version or sha256"
    )


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
