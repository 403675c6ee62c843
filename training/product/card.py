"""The card of a bundle, written only from its manifest, so that no measured number is typed by hand.

`evaluation["remarks"]` holds sentences of the person who releases the bundle; they are printed unchanged.
"""

from typing import Any

from models.manifest import ClassifyManifest
from training.run.evaluate import verdict

# Keys are those of the manifest's `evaluation`, which released bundles keep.
NAMES = {"fixed_h": "Fixed-H", "fixed_v": "Fixed-V", "stochastic": "Stochastic (mean of 5 seeds)"}
FILLS = {"lr": "upsampled LR", "zero": "zero, the mean colour"}
STAGE_TITLES = {
    "values": "value regression",
    "polish": "value regression, polished by policy gradient",
    "pt": "Pt (only the policy is trained)",
    "ft1": "Ft-1 (policy and HR stream, without the LR stream)",
    "ft2": "Ft-2 (policy and HR stream, mixed with the LR stream)",
}


def write_card(manifest: ClassifyManifest, size: int) -> str:
    """Return the README.md of a bundle whose files take `size` bytes in total."""
    # Separated by a blank line: every section ends with a newline of its own.
    sections = [_what(manifest, size), _how(manifest), _table(manifest), _curve(manifest), _stages(manifest)]
    if remarks := manifest.evaluation.get("remarks"):
        sections.append("## Remarks\n\n" + "".join(f"- {remark}\n" for remark in remarks))
    return "\n".join(sections)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _what(manifest: ClassifyManifest, size: int) -> str:
    classes = len(manifest.classes)
    side = f"{manifest.lr_size} x {manifest.lr_size} px"
    return f"""# Bundle `{manifest.name}` {manifest.version}

This bundle holds a policy and a two-stream classifier for tiles of {manifest.tile_m:.2f} m.
The policy reads the low-resolution (LR) tile of {side} at {manifest.lr_gsd_m:.2f} m per pixel
and decides which of the tile's 16 patches to buy in high resolution (HR),
at {manifest.hr_gsd_m:.2f} m per pixel and {manifest.hr_size} px per tile.
The classifier then assigns the tile one of {classes} classes: {", ".join(manifest.classes)}.
The weights take {size / 1e6:.1f} MB as fp16 safetensors and are read as fp32.

## Limits

{_simulated(manifest)}- The bundle knows only these {classes} classes and gives each tile exactly one.
- The test split has {manifest.evaluation["test"]["images"]} images,
  so read every accuracy together with its standard error.
"""


def _simulated(manifest: ClassifyManifest) -> str:
    if manifest.evaluation.get("data") == "pairs":  # the only layout whose LR comes from a sensor
        return ""
    return """- The LR pixels are **simulated**: they are averages of the HR pixels.
  A real satellite adds blur, noise, haze and other colours.
  Expect lower accuracy on real scenes until you train on your own pairs, which takes one command.
"""


def _how(manifest: ClassifyManifest) -> str:
    notes = manifest.evaluation  # written by training.product.fit
    return f"""## How it was trained

`loupe-train fit {notes["recipe"]} --data DIR --out OUT`

| | |
|---|---|
| commit | `{manifest.git_revision[:12]}` |
| seed | {notes["seed"]} |
| hardware | {notes["hardware"]} |
| time | {notes["minutes"]:.0f} minutes of epochs |
| data digest of the training split | `{manifest.data_digest[:16]}` |
| pixels that are not bought | {FILLS[manifest.fill]} |
| fusion exponent | {manifest.fusion_exponent:g} |
| label-uncertainty exponent | {manifest.uncertainty_exponent:g} |
| temperature | {manifest.temperature:g} |

{notes["validation_images"]} images of the training split were held out.
Every choice was made on them or on out-of-fold predictions, none on the test split.
"""


def _table(manifest: ClassifyManifest) -> str:
    test = manifest.evaluation["test"]
    policy = test["policy"]
    # HR-CNN is not in the bundle: `fit` measured it once, so it has no standard error here.
    hr_cnn = manifest.evaluation["hr_cnn_accuracy"]
    rows = [
        _row("LR-CNN (buys nothing)", 0, test["lr_only"]["accuracy"], test["lr_only"]["standard_error"]),
        _row("**this policy**", policy["mean_patches"], policy["accuracy"], policy["standard_error"]),
    ]
    rows += [
        # At the policy's own S, or the one that buys more would look better.
        _row(NAMES[name], policy["mean_patches"], values["at_same_patches"], None, values["gain"])
        for name, values in test["baselines"].items()
    ]
    rows += [
        _row(
            "this classifier, buying everything",
            16,
            test["all_patches"]["accuracy"],
            test["all_patches"]["standard_error"],
        ),
        _row("HR-CNN (a separate network, not shipped)", 16, hr_cnn, None),
    ]
    heading = (
        "| choice | S | accuracy | standard error | gain of this policy [95 %] | resamples without gain |\n"
    )
    heading += "|---" * 6 + "|"
    return (
        "## Measured on the test split\n\n"
        "S is the mean number of patches bought of 16. "
        f"A patch is bought if its utility is at least {manifest.threshold:g}.\n"
        "Fixed-H, Fixed-V and Stochastic use the same classifier at the same S,\n"
        "interpolated between whole numbers of patches.\n"
        "The gain of the policy over them comes from a paired bootstrap over the test images;\n"
        "the last column is the share of resamples in which the policy gains nothing.\n\n"
        + "\n".join([heading, *rows])
        + "\n\n"
        + _verdict(test)
        + _rounded_up(test)
    )


def _row(name: str, patches: float, accuracy: float, error: float | None, gain: Any = None) -> str:
    se = "" if error is None else f"{100 * error:.1f}"
    if gain is None:  # the ends and the policy itself have no rival at the same S
        return f"| {name} | {patches:.2f} | {_percent(accuracy)} | {se} | | |"
    interval = f"{100 * gain['mean']:+.1f} [{100 * gain['low']:+.1f}, {100 * gain['high']:+.1f}]"
    chance = _percent(gain["share_without_gain"])
    return f"| {name} | {patches:.2f} | {_percent(accuracy)} | {se} | {interval} | {chance} |"


def _verdict(test: dict[str, Any]) -> str:
    """Return one sentence per baseline, by whether the interval of the gain excludes zero."""
    gains = {NAMES[name]: values["gain"] for name, values in test["baselines"].items()}
    return "".join(f"- The policy {verdict(gain)} {name}.\n" for name, gain in gains.items()) + "\n"


def _rounded_up(test: dict[str, Any]) -> str:
    # The paper rounds the baselines' S up, in their favour; this line allows the same comparison.
    parts = [
        f"{NAMES[name]} {_percent(values['at_patches_rounded_up'])}"
        for name, values in test["baselines"].items()
    ]
    return f"If S is rounded up in favour of the baselines, they reach: {', '.join(parts)}.\n"


def _curve(manifest: ClassifyManifest) -> str:
    test = manifest.evaluation["test"]
    lines = [
        f"| {point.threshold:.3f} | {point.mean_patches:.2f} | {_percent(point.accuracy)} |"
        for point in manifest.curve
    ]
    # Every baseline was measured at the same sizes, so the first one gives the columns.
    sizes = list(next(iter(test["baselines"].values()))["accuracy_by_patches"])
    baseline = [
        "| choice | " + " | ".join(f"S = {size}" for size in sizes) + " |",
        "|---" * (len(sizes) + 1) + "|",
    ]
    for name, values in test["baselines"].items():
        cells = " | ".join(_percent(values["accuracy_by_patches"][size]) for size in sizes)
        baseline.append(f"| {NAMES[name]} | {cells} |")
    return (
        f"## Curve ({manifest.curve_split} split)\n\n"
        "A lower threshold buys more patches and keeps all that a higher one buys.\n"
        "The thresholds were placed on validation.\n\n"
        "| threshold | S | accuracy |\n|---|---|---|\n"
        + "\n".join(lines)
        + "\n\n"
        + "\n".join(baseline)
        + "\n"
    )


def _stages(manifest: ClassifyManifest) -> str:
    notes = manifest.evaluation
    lines = []
    for name, row in notes["stages"].items():
        # In paper mode the shipped stage is not always the best one.
        shipped = " (shipped)" if name == notes["chosen"] else ""
        validation = notes["validation"][name]["accuracy"]  # a mean over S = 2 to 6, not at one S
        lines.append(
            f"| {STAGE_TITLES[name]}{shipped} | {_percent(validation)} | {_percent(row['accuracy'])} "
            f"| {row['mean_patches']:.2f} | {_percent(row['images_without_purchase'])} |"
        )
    return (
        "## Candidate policies\n\n"
        f"{_choice(manifest)}\n"
        "The test figures were measured once, after that choice, with the networks as trained.\n"
        "Only the shipped policy can be measured again.\n\n"
        "| policy | accuracy on validation, S = 2 to 6 | accuracy on test | S on test "
        "| tiles without a purchase |\n|---|---|---|---|---|\n" + "\n".join(lines) + "\n"
    )


def _choice(manifest: ClassifyManifest) -> str:
    if manifest.mode == "paper":  # faithful to the paper, even where an earlier stage scores better
        return "The last stage of the paper is shipped; validation does not choose it."
    return "The shipped policy has the best mean accuracy on validation over S = 2 to 6."
