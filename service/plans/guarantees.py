"""Guarantees: the certified one that fits what a client asks for, and what a plan with it promises."""

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from models.manifest import Guarantee, Manifest
from service.bundles.card import CertifiedGuarantee, guarantees_of
from service.errors import InvalidInputError
from service.planner.objectives import LOST, CertifiedLoss, GuaranteedLoss, Objective
from service.web.values import invalid

_FORM = re.compile(r"(labels|objects):(0(?:\.[0-9]{1,9})?|1(?:\.0{1,9})?)")


class GuaranteeNotCertifiedError(InvalidInputError):
    """The plan's bundle certifies no guarantee that is as strict as the requested one."""

    code = "guarantee-not-certified"
    title = "The bundle does not certify this guarantee"


def read_guarantee(value: object) -> object:
    """Return the text of a guarantee, its loss and the largest share; refuse any other value."""
    if value is None:
        return None
    found = _FORM.fullmatch(value) if isinstance(value, str) else None
    if found and float(found[2]) <= 1:
        return value
    raise invalid(
        "guarantee-invalid",
        'A guarantee is a loss and its largest share from 0 to 1: "labels:0.05" for at most 5 % of the '
        'labels lost, "objects:0.05" for at most 5 % of the objects missed.',
    )


GuaranteeText = Annotated[
    str, BeforeValidator(read_guarantee), Field(json_schema_extra={"pattern": f"^{_FORM.pattern}$"})
]
"""A loss and its largest share, such as `labels:0.05`."""


def certified_for(asked: str, manifest: Manifest) -> Guarantee:
    """Return the certified guarantee with the largest share that is not above the requested one.

    Error: guarantee-not-certified.
    """
    loss, share = _parts(asked)
    offered = guarantees_of(manifest)
    strict = [one for one in offered if one.loss == loss and one.at_most <= share]
    if not strict:
        raise GuaranteeNotCertifiedError(
            f"At most {_percent(share)} of the {LOST[loss]} was requested, but the bundle {manifest.name} "
            f"{manifest.version} {_offer(offered, loss)}",
            guarantee=asked,
            certified=[CertifiedGuarantee.of(one).model_dump() for one in offered],
        )
    return strict[-1]


def guaranteed_loss(asked: str, manifest: Manifest) -> GuaranteedLoss:
    """Return the objective that keeps a requested guarantee. Error: guarantee-not-certified."""
    one = certified_for(asked, manifest)
    return GuaranteedLoss(
        loss=one.loss,
        requested=_parts(asked)[1],
        at_most=one.at_most,
        sure=one.sure,
        sites=one.sites,
        threshold=one.threshold,
        mean_patches=one.mean_patches,
    )


def least_certifiable(sites: int, sure: float) -> float:
    """Return the smallest share that a number of sites can certify by any method.

    At a mean loss of e, n sites are all without a loss with a probability of up to (1 - e)^n. A method that
    then certifies less than e is wrong that often, and it may be wrong with a probability of 1 - sure.
    """
    return float(1 - (1 - sure) ** (1 / sites))


class PlanGuarantee(BaseModel):
    """The guarantee of a plan."""

    loss: CertifiedLoss = Field(
        description="`labels`: labels lost against buying every patch; `objects`: objects missed."
    )
    requested: float = Field(description="Largest share that was asked for, from 0 to 1.")
    at_most: float = Field(description="Share that is guaranteed: the nearest certified one up to it.")
    sure: float = Field(description="Probability with which the guarantee holds.")
    sites: int = Field(description="Number of sites that it was certified on.")
    mean_patches: float = Field(description="Mean number of patches, of 16, bought per tile at those sites.")
    promise: str = Field(description="Statement of what is guaranteed.")
    limits: str = Field(description="Statement of what is not guaranteed.")

    @classmethod
    def of(cls, objective: Objective, objects: str) -> "PlanGuarantee | None":
        """Write the guarantee of a plan's objective, None if it has none; `objects` names what is counted."""
        if not isinstance(objective, GuaranteedLoss):
            return None
        shown = {name: getattr(objective, name) for name in cls.model_fields.keys() - {"promise", "limits"}}
        return cls(**shown, promise=_promise(objective, objects), limits=LIMITS)


LIMITS = (
    "The guarantee is about the mean of many sites like those: a single scene may lose more, and other kinds "
    "of scenes are not covered. It counts bought patches as read without error. Patches that are owned or on "
    "order count as bought, and free patches are only added, so neither weakens it."
)


def _promise(one: GuaranteedLoss, objects: str) -> str:
    lost = {
        "labels": f"lose the correct labels of at most {_percent(one.at_most)} of their tiles, compared with "
        "buying every patch",
        "objects": f"miss at most {_percent(one.at_most)} of their {objects}, those in patches that are not "
        "bought",
    }[one.loss]
    asked = "" if one.at_most == one.requested else f" ({_percent(one.requested)} was asked for)"
    return (
        f"With a probability of {_percent(one.sure)}, sites like the {one.sites} that it was certified on "
        f"{lost}, on average{asked}. That took {one.mean_patches:.1f} of 16 patches per tile there."
    )


def _offer(offered: Sequence[Guarantee], loss: CertifiedLoss) -> str:
    """Say what is certified, and why nothing stricter is."""
    if not offered:
        return (
            "certifies no guarantee. Choose another objective, or a bundle with guarantees: GET /v1/bundles."
        )
    listed = "; ".join(
        f"{one.loss}:{one.at_most:g} ({one.mean_patches:.1f} of 16 patches per tile at {one.sites} sites, "
        f"with a probability of {_percent(one.sure)})"
        for one in offered
    )
    strictest = next((one for one in offered if one.loss == loss), offered[0])
    least = 100 * least_certifiable(strictest.sites, strictest.sure)
    return (
        f"certifies only {listed}. Request one of these or a larger share. Smaller shares need more sites: "
        f"{strictest.sites} sites certify nothing below {least:.2g} %, even if none of them has a loss."
    )


def _parts(asked: str) -> tuple[CertifiedLoss, float]:
    loss, _, share = asked.partition(":")
    return ("labels" if loss == "labels" else "objects"), float(share)


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
