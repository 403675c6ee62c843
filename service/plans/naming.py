"""The names that clients give to plans: given with the scene, kept by re-plans, and changed later."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, String, cast, or_

from service.ledger.tags import MOST_TAGS, ExternalId, GivenName, TagChanges, Tags, changed_tags
from service.plans.tables import Plan, PlanNaming
from service.web.values import UNPRINTABLE, UNSEEN, SearchText, invalid

_TAGS = TypeAdapter(Tags)
_BAD = f"{UNPRINTABLE}{UNSEEN}"
_PAIR = rf"^(?!\s)[^={_BAD}]*[^=\s{_BAD}]=(?!\s)[^{_BAD}]*[^\s{_BAD}]$"


def read_pair(pair: str) -> str:
    """Return a tag written as NAME=VALUE; refuse it where one of both is missing or no tag may have it."""
    name, equals, value = pair.partition("=")
    if not (name and equals and value):
        raise invalid("tag-invalid", "A tag is written as NAME=VALUE.")
    try:
        _TAGS.validate_python({name: value})
    except ValidationError as error:
        raise invalid("tag-invalid", f"This is no tag: {error.errors()[0]['msg']}") from error
    return pair


TagPair = Annotated[
    SearchText, AfterValidator(read_pair), Field(max_length=201, json_schema_extra={"pattern": _PAIR})
]
"""A tag as a query gives it: NAME=VALUE."""


class NamedOptions(BaseModel):
    """Names of a new plan."""

    name: GivenName | None = Field(
        None, description="Name of the plan, for people.", examples=["Harbours, May"]
    )
    external_id: ExternalId | None = Field(
        None, description="Id of the plan in a system of yours.", examples=["GIS-2041"]
    )
    tag: list[TagPair] | None = Field(
        None,
        max_length=MOST_TAGS,
        description="Tag of the plan, as NAME=VALUE; give it again for several. Orders of the plan get them.",
        examples=[["team=north"]],
    )

    def naming(self, workspace_id: UUID) -> PlanNaming | None:
        """Return the row of the names, without its plan; None if none is given."""
        if not (self.name or self.external_id or self.tag):
            return None
        tags = {}
        for pair in self.tag or ():
            label, _, value = pair.partition("=")
            tags[label] = value
        return PlanNaming(workspace_id=workspace_id, name=self.name, external_id=self.external_id, tags=tags)


class PlanNamesIn(BaseModel):
    """A change of a plan's names: a JSON merge patch (RFC 7396). Omitted members stay, null removes."""

    model_config = ConfigDict(extra="forbid")

    name: GivenName | None = Field(None, description="Name of the plan, for people.")
    external_id: ExternalId | None = Field(None, description="Id of the plan in a system of yours.")
    tags: TagChanges | None = Field(
        None, description="Tags to set, or null to remove one; null instead of the object removes all."
    )

    def change(self, plan: Plan) -> None:
        """Change the names of a plan. InvalidInputError for too many tags."""
        if plan.naming is None:
            plan.naming = PlanNaming(workspace_id=plan.workspace_id, tags={})
        naming, given = plan.naming, self.model_fields_set
        if "name" in given:
            naming.name = self.name
        if "external_id" in given:
            naming.external_id = self.external_id
        if "tags" in given:
            naming.tags = changed_tags(naming.tags, self.tags)


def named_like(plan: Plan) -> PlanNaming | None:
    """Return the names of a plan for one that replaces or follows it."""
    own = plan.naming
    if own is None:
        return None
    return PlanNaming(
        workspace_id=own.workspace_id, name=own.name, external_id=own.external_id, tags=dict(own.tags)
    )


def tags_of_plan(plan: Plan) -> dict[str, str]:
    """Return the tags of a plan."""
    return {} if plan.naming is None else dict(plan.naming.tags)


def plan_holds(text: str) -> ColumnElement[bool]:
    """Return the condition that a text is in a plan's id, names, scene, price list or bundle."""
    own = (
        cast(Plan.id, String),
        Plan.provenance["input_sha256"].as_string(),
        Plan.provenance["price_list"]["name"].as_string(),
        Plan.provenance["bundle"]["name"].as_string(),
    )
    given = (PlanNaming.name, PlanNaming.external_id, cast(PlanNaming.tags, String))
    found = [place.icontains(text, autoescape=True) for place in (*own, *given)]
    return or_(*found[: len(own)], Plan.naming.has(or_(*found[len(own) :])))
