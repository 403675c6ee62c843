"""Grants: which workspace and role a claim of a token gives."""

from typing import Any

import pytest

from service.access.grants import Grant, granted, read_grants
from service.access.roles import Role

GRANTS = read_grants("eo-admins=default/admin, eo-buyers=default/buyer, cn=eo=north/viewer")


def test_grants_are_read_in_their_order() -> None:
    assert list(GRANTS.items()) == [
        ("eo-admins", Grant("default", Role.ADMIN)),
        ("eo-buyers", Grant("default", Role.BUYER)),
        ("cn=eo", Grant("north", Role.VIEWER)),
    ]


@pytest.mark.parametrize("text", ["eo", "eo=default", "eo=/buyer", "=default/buyer", "eo=default/king"])
def test_grant_that_cannot_be_read_is_refused_with_its_form(text: str) -> None:
    with pytest.raises(ValueError, match="VALUE=WORKSPACE/ROLE"):
        read_grants(text)


def test_value_with_two_roles_is_refused() -> None:
    with pytest.raises(ValueError, match="eo is given twice"):
        read_grants("eo=default/buyer,eo=default/admin")


@pytest.mark.parametrize(
    ("claim", "claims", "role"),
    [
        ("groups", {"groups": ["eo-buyers", "staff"]}, Role.BUYER),
        ("groups", {"groups": ["eo-buyers", "eo-admins"]}, Role.ADMIN),  # the first line of the setting
        ("groups", {"groups": "eo-buyers"}, Role.BUYER),
        ("realm_access.roles", {"realm_access": {"roles": ["eo-buyers"]}}, Role.BUYER),
        ("https://own.example/roles", {"https://own.example/roles": ["eo-buyers"]}, Role.BUYER),
        ("groups", {"groups": ["staff"]}, None),
        ("groups", {}, None),
        ("groups", {"groups": {"eo-buyers": True}}, None),
        ("groups", {"groups": [["eo-buyers"], 7, None]}, None),
        ("groups.roles", {"groups": "eo-buyers"}, None),
    ],
)
def test_first_grant_whose_value_the_claim_has_applies(
    claim: str, claims: dict[str, Any], role: Role | None
) -> None:
    found = granted(claims, claim, GRANTS)

    assert (None if found is None else found.role) == role
