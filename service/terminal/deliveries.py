"""Terminal views of what a file for many patches delivered."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from service.client import Json
from service.terminal.blocks import columns, money, plural

PATCHES_SHOWN = 10
"""Patches of each kind that are listed one by one."""
_OUTCOMES = ("settled", "superseded", "already_delivered", "not_covered", "refused")


def delivery_table(answers: Sequence[tuple[str, Json]]) -> RenderableType:
    """Return a line per file: the numbers of its patches by outcome, and what was paid."""
    rows = [
        (name, *(str(answer["counts"][outcome]) for outcome in _OUTCOMES), money(answer["settled"]))
        for name, answer in answers
    ]
    titles = [outcome.replace("_", " ").capitalize() for outcome in _OUTCOMES]
    return columns(("File", *titles, "Paid"), rows, right={*titles, "Paid"})


def delivery_details(answers: Sequence[tuple[str, Json]]) -> RenderableType:
    """Return the refused and partly covered patches, the doubts, and the files of archives not used."""
    lines = [line for name, answer in answers for line in _details(name, answer)]
    return Group(*(Text(line) for line in ["", *lines, ""] if lines))


def _details(name: str, answer: Json) -> list[str]:
    lines = [
        f"{name}: {one['name']} was {one['use']}. {one.get('detail') or 'No patch was accepted.'}"
        for one in answer["files"]
        if one.get("name") and one["use"] != "used"
    ]
    lines += _few(
        name, [f"{_place(one)} was refused. {one['problem']['detail']}" for one in _of(answer, "refused")]
    )
    lines += _few(
        name,
        [
            f"{_place(one)} is covered by {one['covered']:.1%} only; --json has the missing ground."
            for one in _of(answer, "not-covered")
        ],
    )
    lines += _few(
        name,
        [
            f"{_place(one)}: {warning['detail']}"
            for one in answer["patches"]
            for warning in one.get("warnings") or ()
        ],
    )
    if left := answer["counts"]["left"]:
        lines.append(f"{name}: {plural(left, 'more patch')} covered. Send the file again for them.")
    return lines


def _few(name: str, lines: Sequence[str]) -> list[str]:
    shown = [f"{name}: {line}" for line in lines[:PATCHES_SHOWN]]
    more = len(lines) - len(shown)
    return [*shown, f"{name}: and {more:,} more of this kind; --json prints them all."] if more else shown


def _of(answer: Json, outcome: str) -> list[Json]:
    return [one for one in answer["patches"] if one["outcome"] == outcome]


def _place(one: Json) -> str:
    return f"Patch {one['patch']} of tile {one['tile']}"
