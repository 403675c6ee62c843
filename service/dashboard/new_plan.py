"""A new plan: the form that sends a scene, and the plan or the job that comes of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from models.tasks import Task
from service.bundles.registry import Bundles, BundlesDep
from service.bundles.stored import label_of
from service.dashboard.forms import FieldInvalidError, SentForm, check_form, key_field, open_form, text_field
from service.dashboard.frame import go_to, show
from service.dashboard.plan_page import described
from service.dashboard.session import PATH, Visitor, VisitorDep
from service.database.engine import Database, DatabaseDep
from service.errors import LoupeError
from service.orders.storage import check_storage
from service.plans.options import PlanOptions, SceneUpload
from service.plans.planning import PlanningDep
from service.plans.routes import plan_scene
from service.pricing.examples import NO_MINIMUM
from service.pricing.repository import lists_in_force
from service.pricing.tables import PriceList
from service.settings import SettingsDep
from service.web.problems import problem_of
from service.web.turns import TurnDep

router = APIRouter(prefix=f"{PATH}/plans", include_in_schema=False)
MOST_FIELDS = 20
FORM_BYTES = 64 * 1024
"""Most bytes of a form beside its scene."""
SIMPLE = ("price_list", "bundle", "task", "reuse", "bands", "radiometry", "name", "external_id")
"""Fields of the form that are options of a plan under the same name."""
AIMS: Mapping[str, str] = {
    "policy": "Buy what the bundle recommends",
    "max_cost": "Spend at most an amount",
    "max_patches": "Buy at most a number of patches",
    "target_accuracy": "Reach an accuracy",
    "guarantee": "Keep a guarantee of the bundle",
    "lambda": "Buy what is worth its price",
}
"""The objectives of the form, as a person chooses them."""
NEEDS: Mapping[str, str] = {
    "max_cost": "an amount, such as 250.00",
    "max_patches": "a whole number, such as 40",
    "target_accuracy": "a share from 0 to 1, such as 0.9",
    "guarantee": "a loss and its largest share, such as labels:0.05",
    "lambda": "the utility that one unit of money must bring, such as 0.2",
}
"""Meaning of the limit, by objective."""
FIELDS: Mapping[str, str] = {"external_id": "Id in a system of yours", "tag": "Tags"}
"""Fields whose label is not their name."""


@dataclass(frozen=True, kw_only=True)
class SceneForm:
    """The form of a new plan as it was sent."""

    sent: SentForm
    scene: bytes
    fields: Mapping[str, str] = field(default_factory=dict)

    def options(self) -> PlanOptions:
        """Return the options that the form asks for; FieldInvalidError names the field that is wrong."""
        aim, limit = self.fields.get("aim", "policy"), self.fields.get("limit", "").strip()
        given: dict[str, Any] = {name: self.fields[name] for name in SIMPLE if self.fields.get(name)}
        if aim not in AIMS:
            raise FieldInvalidError(f"The form has no aim {aim!r}. Choose one of its aims.")
        if aim in NEEDS and not limit:
            raise FieldInvalidError(f"The field Limit is empty. {AIMS[aim]!r} needs {NEEDS[aim]}.")
        if limit and aim not in NEEDS:
            raise FieldInvalidError(f"{AIMS[aim]!r} takes no limit. Clear the field Limit.")
        if limit:
            given[aim] = limit
        if tags := [line.strip() for line in self.fields.get("tags", "").splitlines() if line.strip()]:
            given["tag"] = tags
        try:
            return PlanOptions.model_validate(given)
        except ValidationError as error:
            raise FieldInvalidError(_sentence(error, aim)) from error


def _sentence(error: ValidationError, aim: str) -> str:
    """Say which field of the form cannot be read, and what it takes."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if name == aim:
        return f"The limit of {AIMS[aim]!r} cannot be read. Give {NEEDS[aim]}."
    label = FIELDS.get(name, name.replace("_", " ").capitalize())
    return f"The field {label} cannot be read: {first['msg'].rstrip('.')}."


async def read_scene_form(request: Request, visitor: VisitorDep, database: DatabaseDep) -> SceneForm:
    """Read the form after its sender is known: its scene is large. The body cap limits its size.

    Errors: cross-site-request; field-invalid for a form without its key.
    """
    async with request.form(max_files=1, max_fields=MOST_FIELDS) as form:
        check_form(request, visitor, text_field(form, "form_token"))
        scene = form.get("scene")
        body = await scene.read() if isinstance(scene, UploadFile) else b""
        names = ("aim", "limit", *SIMPLE, "tags")
        return SceneForm(
            sent=open_form(request, visitor, database, key_field(form)),
            scene=body,
            fields={name: text_field(form, name) for name in names},
        )


async def check_room(
    request: Request, visitor: VisitorDep, database: DatabaseDep, settings: SettingsDep
) -> None:
    """Raise StorageUsedUpError (507) unless the workspace has room for another scene."""
    await check_storage(request, visitor, database, settings)


@router.get("/new", name="show_new_plan")
def new_plan(request: Request, visitor: VisitorDep, database: DatabaseDep, bundles: BundlesDep) -> Response:
    """Show the form that sends a scene."""
    return show(request, visitor, "new_plan.html", **form_values(database, visitor, bundles, {}))


@router.post("/new", name="make_plan", dependencies=[Depends(check_room)])
def make_plan(
    form: Annotated[SceneForm, Depends(read_scene_form)],
    planning: PlanningDep,
    bundles: BundlesDep,
    _turn: TurnDep,
) -> Response:
    """Plan the scene, as `POST /v1/plans` does, and show the plan, or the job of a scene with many tiles."""
    sent = form.sent
    try:
        sent.allow("plan_scene")
        if not form.scene:
            raise FieldInvalidError("The form has no scene. Choose a GeoTIFF in the field Scene.")
        upload = SceneUpload(body=form.scene)
        answer = plan_scene(sent.visitor, form.options(), upload, planning, None, later=False, key=sent.key)
    except LoupeError as refusal:
        if refusal.status >= 500:
            raise
        values = form_values(sent.database, sent.visitor, bundles, form.fields)
        problem = problem_of(sent.request, refusal)
        return show(
            sent.request, sent.visitor, "new_plan.html", status=refusal.status, problem=problem, **values
        )
    made = json.loads(bytes(answer.body))
    if answer.status_code == HTTPStatus.ACCEPTED:
        notice = "The scene has many tiles, so a job plans it."
        return go_to(sent.request, sent.visitor, f"{PATH}/jobs/{made['id']}", notice)
    return go_to(sent.request, sent.visitor, f"{PATH}/plans/{made['id']}", made["decision"])


@dataclass(frozen=True, kw_only=True)
class BundleChoice:
    """A bundle that can be chosen."""

    name: str
    label: str
    tasks: tuple[Task, ...]
    is_default: bool


def form_values(
    database: Database, visitor: Visitor, bundles: Bundles, fields: Mapping[str, str]
) -> dict[str, Any]:
    """Return the values of the template `new_plan.html`; `fields` are filled in."""
    with database.sessions() as session:
        lists = _offers_first(session, visitor)
    # At example prices no saving is ever realised.
    preferred = NO_MINIMUM if not lists or lists[0].example else lists[0].name
    choices = [
        BundleChoice(
            name=label_of(one.manifest),
            label=f"{one.manifest.name} {one.manifest.version}",
            tasks=one.manifest.tasks,
            is_default=one is bundles.default,
        )
        for one in bundles
    ]
    return {
        "lists": [(one.name, f"{described(one)}, {one.currency}") for one in lists],
        "bundles": choices,
        "tasks": sorted({task for one in choices for task in one.tasks}),
        "aims": AIMS,
        "needs": NEEDS,
        "fields": {"price_list": preferred, "aim": "policy"} | {k: v for k, v in fields.items() if v},
    }


def _offers_first(session: Session, visitor: Visitor) -> list[PriceList]:
    """Return the price lists that are valid today, examples last."""
    found = lists_in_force(session, visitor.workspace_id)
    return sorted(found, key=lambda one: (one.example, one.provider, one.name))
