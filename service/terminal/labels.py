"""Terminal view of true labels and of the labels that they prove right."""

from rich.console import Group, RenderableType
from rich.text import Text

from loupe.answers.base import Json
from service.terminal.blocks import plural
from service.terminal.tables import columns

TITLES = ("True class", "Tiles", "Right", "Share (95% interval)", "Right from LR only")


def truth_view(found: Json) -> RenderableType:
    """Return the score of an order by class, and the bundle's own figure for comparison."""
    known = plural(len(found["tiles"]), "tile")
    score = found["score"]
    if not found["tiles"]:
        return Text(f"No true label is known.\nTo give some: loupe labels give {found['order']} FILE")
    if score is None:
        return Text(
            f"The true labels of {known} are known, and the order is not classified yet."
            f"\nTo classify it: loupe classify {found['order']}"
        )
    rows = [_row(one["true_label"], one) for one in score["by_class"]] + [_row("all", score)]
    parts: list[RenderableType] = [columns(TITLES, rows, right=set(TITLES[1:]))]
    if score["outdated"]:
        parts.append(Text("\nPatches were delivered after these labels. Classify the order again."))
    return Group(*parts, Text(f"\n{_comparison(score)}", "dim"))


def score_text(score: Json) -> str:
    """Format a score: "15 of 18 (83%; 61% to 94%)"."""
    low, high = score["interval"]
    return f"{score['right']:,} of {score['tiles']:,} ({score['share']:.0%}; {low:.0%} to {high:.0%})"


def _row(name: str, score: Json) -> tuple[str, ...]:
    interval = score["interval"]
    share = "-" if interval is None else f"{score['share']:.1%} ({interval[0]:.1%} to {interval[1]:.1%})"
    return name, f"{score['tiles']:,}", f"{score['right']:,}", share, f"{score['lr_right']:,}"


def _comparison(score: Json) -> str:
    counted = "Counted on these tiles. The interval holds for others only if these were chosen at random."
    other = score["evaluation"]
    if other is None:
        return counted
    at = f"{other['patches_per_tile']:.3g} patches per tile"
    return f"{counted} On its own evaluation images the bundle reached {other['accuracy']:.1%} with {at}."
