"""Sections of the card of a counting bundle about what a plan may add: guarantees and a second round."""

from models.manifest import CountManifest
from training.objects.guarantee import least_epsilon
from training.objects.promises import DELTA, EPSILONS, PROMISED

LOSSES = {"labels": "labels lost", "objects": "objects missed"}
_GUARANTEES = """## Guarantees

With a probability of {sure:.0f} % over the {sites} sites that certified it, the mean loss of sites like those
is at most what is stated. It is no promise about a single site. A site's loss is the share of its objects
that is missed, or of its tiles whose label is right with every patch bought and wrong with these; readings
count as perfect. A patch is bought if its value reaches the threshold.

| loss | at most | value of the task | threshold | S | S on test | loss on test | test sites above |
|---|---|---|---|---|---|---|---|
"""


def guarantees_section(manifest: CountManifest) -> str:
    """Return the certified thresholds, what they cost, and what so few sites cannot certify."""
    splits = manifest.evaluation["sites"]
    sites = splits["train"] + splits["validation"]
    rows = [
        f"| {LOSSES[one.loss]} | {100 * one.at_most:g} % | `{one.task}` | {one.threshold:.6g} "
        f"| {one.mean_patches:.2f} | {there['mean_patches']:.2f} | {100 * there['mean_loss']:.1f} % "
        f"| {100 * there['sites_above']:.0f} % |"
        for one, there in zip(manifest.guarantees, manifest.evaluation["test"]["guarantees"], strict=True)
    ]
    table = _GUARANTEES.format(sure=100 * (1 - DELTA), sites=sites) + "\n".join(rows) + "\n"
    head = table if rows else "## Guarantees\n"
    return f"{head}\n{_not_certified(manifest, sites)}"


def _not_certified(manifest: CountManifest, sites: int) -> str:
    stated = {(one.loss, one.at_most) for one in manifest.guarantees}
    missing = [
        f"{LOSSES[loss]} of at most {100 * epsilon:g} %"
        for loss in PROMISED
        for epsilon in EPSILONS
        if (loss, epsilon) not in stated
    ]
    bound = 100 * least_epsilon(sites, DELTA)
    least = f"Even without any loss, {sites} sites certify no less than {bound:.1f} %.\n"
    if not missing:
        return least
    return f"Not certified by less than buying everything: {', '.join(missing)}.\n{least}"


def second_look_section(manifest: CountManifest) -> list[str]:
    """Return the numbers of the second look, if the bundle has one."""
    if (look := manifest.second_look) is None:
        return []
    return [
        "## Second look\n\n"
        "Once some patches were read, the counts expected of the others are revised by what was seen nearby\n"
        "(`models/second_look.py`). Its numbers, fitted by the likelihood of unseen patches:\n\n"
        "| reach, patches | weight of the first map, objects | share of the wide kernel | discount "
        "| weight of earlier imagery |\n|---|---|---|---|---|\n"
        f"| {look.near:g} | {look.prior:g} | {look.far_share:g} | {look.discount:g} | {look.before:g} |\n"
    ]
