"""A check of ours that schemathesis runs with its own: the document says all that makes a request malformed.

Schemathesis loads this file. A request that obeys the document may be refused for what it means, such as a
budget that nobody has, but not for its form.
"""

from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, Response

MALFORMED = frozenset({"/problems/invalid-request", "/problems/malformed-request"})
"""Types of problems that say that a request has the wrong form."""
BOUNDS = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})
BEYOND_A_SCHEMA = BOUNDS | {
    "decimal_max_places",  # of a number; a text has a pattern for it
    "json_invalid",
    "days-invalid",
    "parts-invalid",
    "tiers-invalid",
}
"""Codes of faults that no schema describes.

They are bounds of numbers in texts, decimals of a number, JSON in texts, and members that must follow one
another: the first and the last day, the areas of tiers, and the smallest and largest part of an order.
"""


@schemathesis.check
def form_is_documented(_context: CheckContext, response: Response, case: "Case[Any]") -> None:
    """Fail for a request of the right form that is refused for its form."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if 400 <= response.status_code < 500 and response.headers.get("content-type") == [
        "application/problem+json"
    ]:
        problem = response.json()
        faults = {one["code"] for one in problem.get("errors", ())}
        if problem["type"] in MALFORMED and not (faults and faults <= BEYOND_A_SCHEMA):
            raise AssertionError(f"The document allows it, but: {problem['detail']}")
