"""Refusals of the server in the words of the command that was typed: its options, arguments and files."""

from collections.abc import Mapping
from typing import Any

from loupe import ProblemError
from service.terminal.wording import in_words, plainly

IN_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "lambda": ("cost_weight",),
    "q": ("search",),
    "from": ("first",),
    "to": ("last",),
    "tags": ("tag",),
    "thresholds": ("threshold",),
    "ends_at": ("until",),
    "scene_days": ("scenes",),
    "delivery_days": ("deliveries",),
    "accept_late": ("late",),
    "as": ("form",),
    "limit": ("amount",),
    "order": ("order_id",),
    "order_id": ("order", "document_id", "waiting", "what"),
    "plan_id": ("plan", "document_id"),
    "proposal_id": ("proposal", "waiting"),
}
"""Names that parameters of commands have for a field of the API, beside its own."""
MOST_FAULTS = 3


def refusal(problem: ProblemError, command: Any = None) -> str:
    """Return the reason of a refusal: a title, and below it what to do. `command` was typed."""
    title, detail = in_words(problem.problem)
    if problem.faults:
        detail = " ".join(fault_text(fault, command) for fault in problem.faults[:MOST_FAULTS])
        title = "A value cannot be used"
    if problem.code == "internal-error" and problem.request_id:
        detail += f" The request has the id {problem.request_id}."
    return f"{title or problem.title}\n{detail}".strip()


def fault_text(fault: Mapping[str, Any], command: Any = None) -> str:
    """Write an entry of `errors` as a sentence that begins with the option, the argument or the row."""
    place, said = place_of(str(fault.get("pointer", "")), command), _said(fault)
    if fault.get("code") == "parameter-unknown":
        return f"{place}: The server does not know it. Compare `loupe --version` here and on its machine."
    row, _, rest = place.partition(", ")
    return f"{place}: {said.removeprefix(f'{row}: ') if rest else said}."


def _said(fault: Mapping[str, Any]) -> str:
    said = plainly(str(fault.get("detail", ""))).rstrip(".")
    said = "It is missing" if said == "Field required" else said
    return said.replace("Input should", "It should").replace("String should", "It should")


def place_of(pointer: str, command: Any = None) -> str:
    """Return where a wrong value was typed: "--max-cost", "AMOUNT" or "Row 2, currency"."""
    place, *names = [*pointer.strip("/").split("/")]
    if place not in ("path", "query", "body", "header"):
        return _in_file([place, *names])
    parameters = {one.name: one for one in getattr(command, "params", ())}
    named = [name for name in names if not name.isdigit()]
    if named[-1:] == ["currency"] and "currency" in parameters:
        return _typed(parameters["currency"])
    for name in named:
        for candidate in (name, *IN_COMMANDS.get(name, ())):
            if candidate in parameters:
                return _typed(parameters[candidate])
    arguments = [one for one in parameters.values() if one.param_type_name == "argument"]
    if place == "path" and len(arguments) == 1:
        return _typed(arguments[0])
    return _in_file(names or [place])


def _typed(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name.upper())


def _in_file(names: list[str]) -> str:
    """Return a place in a file: "Row 2, tier 1, currency" for rows/2/tiers/0/currency.

    Rows are counted from 1, and members of a list in a row from 0.
    """
    words: list[str] = []
    for depth, name in enumerate(names):
        if name.isdigit() and words:
            words[-1] = f"{words[-1].removesuffix('s')} {int(name) + (depth > 1)}"
        else:
            words.append(name.replace("_", " "))
    text = ", ".join(words)
    return text[:1].upper() + text[1:]
