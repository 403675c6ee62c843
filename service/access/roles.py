"""Roles of keys: what each may do, and what each operation of the API needs. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from service.errors import LoupeError


class Role(StrEnum):
    """Role of a key; it never changes. A rotated key may get another one."""

    VIEWER = "viewer"
    PLANNER = "planner"
    BUYER = "buyer"
    APPROVER = "approver"
    FINANCE = "finance"
    ADMIN = "admin"


class Right(StrEnum):
    """Something that a role may do in its workspace."""

    VIEW = "view"
    """Read everything but the list of keys and the audit log."""
    PLAN = "plan"
    """Plan scenes, classify, and give true labels."""
    PRICE = "price"
    """Publish price lists."""
    BUY = "buy"
    """Order, deliver and cancel."""
    APPROVE = "approve"
    """Decide on orders, charges and terms of other holders."""
    ACCOUNT = "account"
    """Open and change budgets, post adjustments, import invoices, close months."""
    ADMINISTER = "administer"
    """Manage the workspace's keys and people, read the audit log, and delete pixels."""


RIGHTS: Mapping[Role, frozenset[Right]] = MappingProxyType(
    {
        Role.VIEWER: frozenset({Right.VIEW}),
        Role.PLANNER: frozenset({Right.VIEW, Right.PLAN}),
        Role.BUYER: frozenset({Right.VIEW, Right.PLAN, Right.PRICE, Right.BUY}),
        Role.APPROVER: frozenset({Right.VIEW, Right.APPROVE}),
        Role.FINANCE: frozenset({Right.VIEW, Right.PRICE, Right.ACCOUNT}),
        Role.ADMIN: frozenset(Right),
    }
)
"""The rights of each role."""

_OPERATIONS: Mapping[Right, str] = {
    Right.VIEW: """
        get_me get_versions rotate_api_key revoke_api_key
        list_price_lists get_price_list list_bundles get_bundle
        list_plans get_plan get_patches get_shapes get_bill get_scene get_curve get_alternatives get_preview
        list_orders get_order get_order_shapes preview_cancel list_statuses download_patch get_classification
        get_truth
        list_invoices list_differences get_invoice
        get_savings list_order_savings get_order_savings get_order_alternatives list_spend
        list_budgets get_budget get_usage list_ledger get_transfer list_adjustments list_closes
        list_proposals get_proposal list_delegations end_delegation list_jobs get_job get_retention
    """,
    Right.PLAN: "plan_scene name_plan replan_scene plan_next_round classify_order put_truth cancel_job",
    Right.PRICE: "publish_price_list import_price_lists",
    Right.BUY: "create_order name_order cancel_order put_off_order deliver_file deliver_patch",
    Right.APPROVE: "decide_order decide_proposal lend_approval",
    Right.ACCOUNT: "open_budget change_budget withdraw_proposal post_adjustment import_invoices close_month",
    Right.ADMINISTER: """
        list_api_keys create_api_key list_people change_role remove_person list_audit
        delete_scene_pixels delete_order_pixels set_retention
    """,
}
NEEDED: Mapping[str, Right] = MappingProxyType(
    {operation: right for right, operations in _OPERATIONS.items() for operation in operations.split()}
)
"""The right that each operation under /v1 needs, by the operation's id. Another operation needs an admin."""


class RoleNeededError(LoupeError):
    """A request whose key has a role that may not do it."""

    status = 403
    code = "role-needed"
    title = "The key's role does not allow this"


def needed(operation: str) -> Right:
    """Return the right that an operation needs; an operation without a row needs an admin."""
    return NEEDED.get(operation, Right.ADMINISTER)


def allowed_roles(right: Right) -> list[Role]:
    """Return the roles that have a right, from the least to the most powerful."""
    return [role for role in Role if right in RIGHTS[role]]


def check_right(role: Role, right: Right) -> None:
    """Raise RoleNeededError (403), which names the roles that may, unless `role` has the right."""
    if right in RIGHTS[role]:
        return
    roles = allowed_roles(right)
    raise RoleNeededError(
        f"Your key is for the role {role}, and this needs {said(roles)}. Ask an admin of the workspace for "
        f"such a key (`loupe keys create NAME --role {roles[0]}` on the server's machine, or POST /v1/keys).",
        role=role,
        roles=roles,
    )


def said(roles: list[Role]) -> str:
    """Write roles for a sentence: "the role buyer or admin"."""
    *others, last = roles
    return "the role " + (f"{', '.join(others)} or {last}" if others else last)
