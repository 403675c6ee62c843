"""Terminal views of what a file for many patches delivered."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from loupe.answers.base import Json
from service.terminal.blocks import indent, money, plural
from service.terminal.tables import columns
from service.terminal.wording import plainly

PATCHES_SHOWN = 10
"""Patches of each kind, and ignored files of an archive, that are listed."""
_OUTCOMES = ("settled", "superseded", "already_delivered", "not_covered", "refused")


def delivery_table(answers: Sequence[tuple[str, Json]]) -> RenderableType:
    """Return a line per file: the numbers of its patches by outcome and with warnings, and what was paid."""
    rows = [
        (
            name,
            *(str(answer["counts"][outcome]) for outcome in _OUTCOMES),
            str(sum(bool(one.get("warnings")) for one in answer["patches"])),
            money(answer["settled"]),
        )
        for name, answer in answers
    ]
    titles = [*(outcome.replace("_", " ").capitalize() for outcome in _OUTCOMES), "Warnings", "Paid"]
    return columns(("File", *titles), rows, right=titles)


def delivery_details(answers: Sequence[tuple[str, Json]]) -> RenderableType:
    """Return the refused and partly covered patches, the doubts, and the files of archives not used."""
    parts: list[RenderableType] = []
    for name, answer in answers:
        if lines := _details(answer):
            parts += [Text(f"\n{name}", "bold"), *(indent(line) for line in lines)]
    return Group(*parts, Text())


def _details(answer: Json) -> list[Text]:
    refused = [
        (
            one["problem"].get("type", ""),
            f"{_place(one)} was refused. {plainly(one['problem']['detail'])}",
            one,
        )
        for one in _of(answer, "refused")
    ]
    partly = [
        (
            "",
            f"{_place(one)} is covered by {one['covered']:.1%} so far. The part is kept and costs nothing. "
            "Send a file that shows the rest; --json has the missing ground.",
            one,
        )
        for one in _of(answer, "not-covered")
    ]
    doubts = [
        (warning.get("code", ""), f"{_place(one)}: {plainly(warning['detail'])}", one)
        for one in answer["patches"]
        for warning in one.get("warnings") or ()
    ]
    return [
        *(Text(line, "dim") for line in _unused_files(answer["files"])),
        *(Text(line, "red") for line in _one_per_kind(refused)),
        *(Text(line) for line in _one_per_kind(partly)),
        *(Text(f"Warning: {line}", "yellow") for line in _one_per_kind(doubts)),
        *(Text(line) for line in _rest(answer["counts"])),
    ]


def _unused_files(files: Sequence[Json]) -> list[str]:
    lines = [
        f"{one['name']} was {one['use']}. {plainly(one.get('detail') or 'No patch was accepted.')}"
        for one in files
        if one.get("name") and one["use"] != "used"
    ]
    more = len(lines) - PATCHES_SHOWN
    return (
        [*lines[:PATCHES_SHOWN], f"{plural(more, 'more file')} not used; --json lists all."]
        if more > 0
        else lines
    )


def _one_per_kind(found: Iterable[tuple[str, str, Json]]) -> list[str]:
    """Return the first sentence of each kind, and which other patches have a sentence of this kind."""
    kinds: dict[str, list[tuple[str, Json]]] = {}
    for kind, sentence, one in found:
        kinds.setdefault(kind, []).append((sentence, one))
    return [_with_others(some) for some in kinds.values()]


def _with_others(some: Sequence[tuple[str, Json]]) -> str:
    (sentence, _), *others = some
    if not others:
        return sentence
    places = ", ".join(f"{one['tile']}/{one['patch']}" for _, one in others[:PATCHES_SHOWN])
    more = len(others) - PATCHES_SHOWN
    listed = f"{places} and {more:,} more" if more > 0 else places
    count = plural(len(others), "more patch")
    return f"{sentence} The same kind for {count} (tile/patch {listed}); --json has each."


def _rest(counts: Json) -> list[str]:
    """Say which awaited patches the file does not show, and whether it must be sent again."""
    lines = []
    if outside := counts.get("untouched"):
        lines.append(f"{plural(outside, 'awaited patch')} of the order outside this file.")
    if left := counts["left"]:
        lines.append(f"{plural(left, 'more patch')} covered. Send the file again for them.")
    return lines


def _of(answer: Json, outcome: str) -> list[Json]:
    return [one for one in answer["patches"] if one["outcome"] == outcome]


def _place(one: Json) -> str:
    return f"Patch {one['patch']} of tile {one['tile']}"
