"""A client's input to plan or re-plan: options in the query, a scene in the body."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError, field_validator
from starlette.datastructures import UploadFile

from models.manifest import Manifest
from models.tasks import Task
from service.errors import MediaTypeError
from service.plans.ground import ReuseMode
from service.plans.naming import NamedOptions
from service.plans.objective_options import ObjectiveOptions
from service.plans.tasks import TASKS, task_in
from service.pricing.examples import NO_MINIMUM
from service.web.parameters import fault, form_faults, given_twice, repeated_members
from service.web.values import SearchText, number_of

RAW = {"image/tiff", "application/octet-stream"}
MULTIPART = "multipart/form-data"
PARTS = ("scene", "params")
"""Fields of such a form."""
MOST_PARTS = 8
"""Most files, and most texts, of a form that are read to name what is wrong with it."""

MOST_PARAMS = 64 * 1024
"""Most bytes of the options in a form."""
TOO_LONG = f"The options have more than {MOST_PARAMS:,} bytes. Send the scene as the file 'scene'."


class SceneMediaTypeError(MediaTypeError):
    """The body is neither a GeoTIFF nor a form with one."""

    title = "Send the scene as a GeoTIFF"
    headers: ClassVar[dict[str, str]] = {"Accept-Post": f"image/tiff, application/octet-stream, {MULTIPART}"}


class PlanOptions(NamedOptions, ObjectiveOptions):
    """Options of a new plan."""

    price_list: SearchText = Field(
        NO_MINIMUM,
        max_length=64,
        description="Price list: its id, or its name for the newest version that is valid today.",
    )
    bands: str | None = Field(
        None,
        max_length=50,
        examples=["4,3,2"],
        description="Numbers of the red, green and blue bands, counted from 1. "
        "By default Loupe finds them: see `docs/inputs.md`.",
    )
    radiometry: str | None = Field(
        None,
        max_length=50,
        description="Meaning of pixel values: `auto` (default: by tags, metadata and range), `uint8`, "
        "`reflectance`, `reflectance-1e4`, `reflectance-1e4-offset1000` (Sentinel-2 from baseline 04.00 on), "
        "`reflectance-percent`, `reflectance-65535`, `landsat-collection2`, or `range:LOW-HIGH` with the "
        "numbers that become black and white, such as `range:0-4000`.",
    )
    reuse: ReuseMode = Field(
        "owned",
        description="`owned` (default): patches that are owned or on order are not bought again. "
        "Owned ones are used at no cost, others once they are delivered. `none`: they are bought again.",
    )
    bundle: str | None = Field(
        None,
        max_length=200,
        examples=["ucmerced", "ucmerced@1.2.0"],
        description="Bundle to plan with, as name (its highest version), name@version or sha256. "
        "GET /v1/bundles lists them. By default the server's default bundle.",
    )
    task: Task | None = Field(
        None,
        description=f"Purpose of the plan: {TASKS}. By default the bundle's default task, or that of the "
        "guarantee.",
    )

    @field_validator("cost_weight", "max_patches", "target_accuracy", mode="before")
    @classmethod
    def _read_text(cls, value: object) -> object:
        return number_of(value)  # all that a query has is text

    def task_of(self, manifest: Manifest) -> Task:
        """Return the task of the plan. Errors: task-unknown, objective-unclear, guarantee-not-certified."""
        return task_in(manifest, self.task_for(manifest, self.task))


class ReplanIn(ObjectiveOptions):
    """Options to change; omitted options keep their previous value."""

    price_list: SearchText | None = Field(
        None,
        max_length=64,
        description="Price list: its id, or its name for the newest version that is valid today. "
        "By default the newest version of the plan's own price list.",
    )
    reuse: ReuseMode | None = Field(
        None,
        description="`owned`: patches that the workspace owns or has on order are not bought again. `none`: "
        "they are. By default as in the plan.",
    )
    task: Task | None = Field(
        None,
        description=f"Purpose of the plan: {TASKS}. By default as in the plan. The networks do not "
        "run again.",
    )

    @property
    def has_objective(self) -> bool:
        """Whether any part of an objective was given; null is the same as left out."""
        return any(getattr(self, name) is not None for name in ObjectiveOptions.model_fields)


@dataclass(frozen=True, kw_only=True)
class SceneUpload:
    """The bytes of a scene, and the JSON of a form's `params` part if there is one."""

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


async def read_scene_upload(request: Request) -> SceneUpload:
    """Read the body, raw or a form with `scene` and optionally `params`; the body cap limits its size."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in RAW:
        return SceneUpload(body=await request.body())
    if media_type != MULTIPART:
        raise SceneMediaTypeError(
            f"The body's media type is {media_type or 'missing'}. Send the GeoTIFF itself as image/tiff, "
            "or a form with a file 'scene'."
        )
    async with request.form(max_files=MOST_PARTS, max_fields=MOST_PARTS) as form:
        faults = form_faults(form, PARTS)
        scene, params = form.get("scene"), form.get("params")
        if isinstance(params, UploadFile):  # `-F params=@options.json`
            given = await params.read(MOST_PARAMS + 1)
            if len(given) > MOST_PARAMS:
                faults.append(fault(("body", "params"), "too-long", TOO_LONG))
            params = given[:MOST_PARAMS].decode(errors="replace")
        if not isinstance(scene, UploadFile):
            faults.append(fault(("body", "scene"), "missing", "The form needs a file 'scene'."))
        repeated = await run_in_threadpool(repeated_members, params or "")
        faults += [given_twice(("body", "params", name)) for name in repeated]
        if faults or not isinstance(scene, UploadFile):
            raise RequestValidationError(faults)
        return SceneUpload(body=await scene.read(), params=params)


SceneUploadDep = Annotated[SceneUpload, Depends(read_scene_upload)]


def _in_params(error: ValidationError) -> RequestValidationError:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return RequestValidationError(
        [fault(("body", "params", *one["loc"]), one["type"], one["msg"]) for one in faults]
    )
