"""The names that clients give to plans: given with the scene, kept by re-plans, and changed later."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, String, cast, false, func, or_, select
from sqlalchemy.orm import Session

from service.ledger.tags import MOST_TAGS, ExternalId, GivenName, TagChanges, Tags, changed_tags
from service.plans.tables import Plan, PlanNaming
from service.web.values import UNPRINTABLE, UNSEEN, SearchText, invalid

_TAGS = TypeAdapter(Tags)
_BAD = f"{UNPRINTABLE}{UNSEEN}"
_PAIR = rf"^(?!\s)[^={_BAD}]*[^=\s{_BAD}]=(?!\s)[^{_BAD}]*[^\s{_BAD}]$"


LOOKED_AT, OFTEN = 200, 10
"""Newest plans that are searched without an index, and how many of them make a text a frequent one."""
MOST_FOUND = 1_000
"""Number of plans from which on what the index names is not used."""
SHORTEST_OF_DIGESTS = 3
"""Characters of the shortest text that the index finds in ids and digests."""


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


def plan_holds(session: Session, workspace_id: UUID, text: str) -> ColumnElement[bool]:
    """Return the condition that a text is in a plan's id, names, scene, price list or bundle.

    A text that several of the newest plans hold fills a page soon. For any other one an index names the
    plans that may hold it.
    """
    newest = (
        select(Plan.id)
        .where(Plan.workspace_id == workspace_id)
        .order_by(Plan.created_at.desc())
        .limit(LOOKED_AT)
    ).subquery()
    counts = select(func.count(), func.count().filter(holds_text(text))).join(newest, newest.c.id == Plan.id)
    looked_at, holding = session.execute(counts).one()
    if looked_at < LOOKED_AT or holding >= OFTEN or _is_part_of_digests(text):
        return holds_text(text)
    found = func.ledger.plans_holding(workspace_id, text, MOST_FOUND).column_valued("found")
    likely = set(session.scalars(select(found)))
    if len(likely) >= MOST_FOUND:
        return holds_text(text)
    return Plan.id.in_(likely) & holds_text(text) if likely else false()


def _is_part_of_digests(text: str) -> bool:
    """Return whether ids and digests may hold a text that is too short for their index."""
    return len(text) < SHORTEST_OF_DIGESTS and set(text.lower()) <= set("0123456789abcdef-")


def holds_text(text: str) -> ColumnElement[bool]:
    """Return the condition of `plan_holds` without the index: a query looks at every plan."""
    own = (
        cast(Plan.id, String),
        Plan.provenance["input_sha256"].as_string(),
        Plan.provenance["price_list"]["name"].as_string(),
        Plan.provenance["bundle"]["name"].as_string(),
    )
    given = (PlanNaming.name, PlanNaming.external_id, cast(PlanNaming.tags, String))
    found = [place.icontains(text, autoescape=True) for place in (*own, *given)]
    return or_(*found[: len(own)], Plan.naming.has(or_(*found[len(own) :])))
