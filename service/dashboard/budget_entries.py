"""The entries of the forms of budgets: read as the API reads its bodies, with each fault at its field."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any, TypeVar

from fastapi import Form
from pydantic import BaseModel, ValidationError

from service.dashboard.forms import FieldInvalidError
from service.dashboard.wording import plainly
from service.errors import InvalidInputError, LoupeError
from service.ledger.schemas import BudgetChange, BudgetIn
from service.ledger.tags import split_tag
from service.ledger.terms import FRESH, BudgetTerms
from service.money import Money
from service.web.money import MoneyIn

Sent = TypeVar("Sent", bound=BaseModel)
Text = Annotated[str, Form(max_length=8_000)]
TERMS: Mapping[str, str] = {
    "limit": "Limit",
    "period": "Granted",
    "starts_on": "Pays from",
    "ends_on": "Pays until",
    "enforcement": "Orders beyond the limit",
    "thresholds": "Thresholds",
    "tags": "Tags",
    "approval_above": "Another holder approves above",
}
"""Limit and terms as the pages name them."""
TITLES: Mapping[str, str] = {"name": "Name", "currency": "Currency", **TERMS}
"""The fields of the forms as the pages name them."""
PLACES: Mapping[str, str] = {
    "conflict": "name",
    "currency-unknown": "currency",
    "budget-terms": "ends_on",
    "limit-below-use": "limit",
    "sum-too-large": "limit",
    "approval-above-needed": "approval_above",
}
"""The field at which an error of the ledger is shown, by the error's code."""
PLAIN = ("period", "enforcement", "starts_on", "ends_on")
AMOUNTS = ("limit", "approval_above")
MISSING: Mapping[str, str] = {
    "name": "A budget needs a name, such as Harvest 2026.",
    "limit": "A budget needs a limit. Write 0 to spend nothing.",
    "currency": "A budget needs a currency.",
}


class FieldsInvalidError(FieldInvalidError):
    """Fields of a form that cannot be used, each with a sentence."""

    title = "Some fields of the form cannot be used"

    def __init__(self, faults: Mapping[str, str]) -> None:
        names = [TITLES[name] for name in TITLES if name in faults]
        super().__init__(f"Nothing was changed. Correct the fields: {', '.join(names)}.")
        self.faults = faults


@dataclass(frozen=True, kw_only=True)
class BudgetEntries:
    """The form of a budget as it is filled in, all as text."""

    name: Text = ""
    limit: Text = ""
    currency: Text = ""
    period: Text = FRESH.period.value
    starts_on: Text = ""
    ends_on: Text = ""
    enforcement: Text = FRESH.enforcement.value
    thresholds: Text = ""
    tags: Text = ""
    approval_above: Text = ""

    @classmethod
    def of(cls, limit: Money, terms: BudgetTerms) -> "BudgetEntries":
        """Fill in limit and terms of a budget."""
        above = terms.approval_above
        return cls(
            limit=limit.amount,
            currency=limit.currency,
            period=terms.period.value,
            starts_on=str(terms.starts_on or ""),
            ends_on=str(terms.ends_on or ""),
            enforcement=terms.enforcement.value,
            thresholds=", ".join(map(str, terms.thresholds)),
            tags="\n".join(f"{name}={value}" for name, value in sorted(terms.tags.items())),
            approval_above="" if above is None else above.amount,
        )

    def on_top_of(self, now: "BudgetEntries", base: "BudgetEntries") -> "BudgetEntries":
        """Return the form for the terms of now, with the entries here that differ from those of `base`."""
        mine = {
            name: value
            for name, value in asdict(self).items()
            if value.split() != getattr(base, name).split()  # browsers end lines in their own way
        }
        return replace(now, **mine)

    def opening(self) -> BudgetIn:
        """Return the budget to open. FieldsInvalidError."""
        return _read(BudgetIn, self, name=self.name.strip())

    def change(self, tags: Mapping[str, str]) -> BudgetChange:
        """Return the change of a budget that has these tags. FieldsInvalidError."""
        removed = dict.fromkeys(tags)
        change = _read(BudgetChange, self)
        return change.model_copy(update={"tags": {**removed, **(change.tags or {})}})


def faults_of(error: LoupeError | None) -> Mapping[str, str]:
    """Return the sentences of a refusal by the field that they are about."""
    if isinstance(error, FieldsInvalidError):
        return error.faults
    place = None if error is None else PLACES.get(error.code)
    return {} if error is None or place is None else {place: plainly(error.detail)}


def _read(model: type[Sent], entries: BudgetEntries, **more: str) -> Sent:
    """Read all entries, and name every field that cannot be used."""
    faults: dict[str, str] = {}
    texts = {one.name: getattr(entries, one.name).strip() for one in fields(entries)}
    document: dict[str, Any] = {name: texts[name] or None for name in PLAIN} | more
    for name in AMOUNTS:
        given = {"amount": texts[name], "currency": texts["currency"]}
        document[name] = given if texts[name] else None
    for name, read in (("thresholds", _thresholds), ("tags", _tags)):
        try:
            document[name] = read(texts[name])
        except InvalidInputError as error:
            faults[name] = error.detail
    wanted = _validate(model, document, faults)
    needed = {"limit", "currency", *more}
    faults |= {name: said for name, said in MISSING.items() if name in needed and not texts[name]}
    if wanted is None or faults:
        raise FieldsInvalidError(faults)
    return wanted


def _validate(model: type[Sent], document: Mapping[str, Any], faults: dict[str, str]) -> Sent | None:
    """Return the model of a document, or None with a sentence in `faults` for each field that is wrong."""
    try:
        wanted = model.model_validate({name: value for name, value in document.items() if name not in faults})
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=False, include_input=False):
            place = [str(part) for part in one["loc"]]
            faults.setdefault("currency" if place[-1] == "currency" else place[0], _sentence(one["msg"]))
        return None
    for name in AMOUNTS:
        sent: MoneyIn | None = getattr(wanted, name)
        if sent is not None:
            try:
                sent.money()
            except InvalidInputError as error:
                faults[name] = error.detail
    return wanted


def _sentence(said: str) -> str:
    """Write what pydantic says of a value for the field below which it stands."""
    said = re.sub(r"^Value should have at most (\d+) items.*", r"It should have at most \1 characters", said)
    return plainly(re.sub(r"^(Input|String|Dictionary|List) should", "It should", said).rstrip(".") + ".")


def _thresholds(text: str) -> list[int]:
    """Read percentages with commas or blanks between them. InvalidInputError for another text."""
    parts = text.replace("%", " ").replace(",", " ").split()
    if wrong := [one for one in parts if not re.fullmatch(r"[0-9]{1,9}", one)]:
        raise InvalidInputError(
            f"{wrong[0][:40]!r} is not a percentage. Write whole numbers and commas, such as 50, 90."
        )
    return [int(one) for one in parts]


def _tags(text: str) -> dict[str, str]:
    """Read tags, one on each line as NAME=VALUE. InvalidInputError for another line and a second value."""
    found: dict[str, str] = {}
    for line in filter(None, (one.strip() for one in text.splitlines())):
        for name, value in split_tag(line).items():
            if name.strip() in found:
                raise InvalidInputError(f"The tag {name.strip()[:40]} stands there twice. Keep one of them.")
            found[name.strip()] = value.strip()
    return found
