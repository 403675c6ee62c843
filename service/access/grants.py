"""Grants: the workspace and role that a claim of a token gives a person. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.access.roles import Role


@dataclass(frozen=True)
class Grant:
    """A role in the workspace of this name."""

    workspace: str
    role: Role


def read_grants(text: str) -> Mapping[str, Grant]:
    """Read `VALUE=WORKSPACE/ROLE`, separated by commas; ValueError, with a sentence, for anything else."""
    grants: dict[str, Grant] = {}
    for line in filter(None, (part.strip() for part in text.split(","))):
        value, _, granted = line.rpartition("=")
        workspace, _, role = granted.rpartition("/")
        if not value or not workspace or role not in set(Role):
            raise ValueError(
                f"Write each as VALUE=WORKSPACE/ROLE, such as buyers=default/buyer, not {line!r}. "
                f"The roles are {', '.join(Role)}."
            )
        if value in grants:
            raise ValueError(f"{value} is given twice. Give each value of the claim one role.")
        grants[value] = Grant(workspace, Role(role))
    return grants


def granted(claims: Mapping[str, Any], claim: str, grants: Mapping[str, Grant]) -> Grant | None:
    """Return the first of `grants` whose value a claim has; None if it has none of them.

    The claim is a text or a list of texts. A name with dots also finds members of objects, such as
    realm_access.roles.
    """
    held = _values(claims, claim)
    return next((grant for value, grant in grants.items() if value in held), None)


def _values(claims: Mapping[str, Any], claim: str) -> set[str]:
    found: Any = claims
    for name in [claim] if claim in claims else claim.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return {one for one in (found if isinstance(found, list) else [found]) if isinstance(one, str)}
