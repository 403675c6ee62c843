"""The card of a bundle, from its manifest alone: no measured number in it is typed by hand.

`evaluation["remarks"]`, sentences of whoever releases the bundle, are printed as they are.
"""

from typing import Any

from models.manifest import Manifest
from training.run.evaluate import verdict

NAMES = {"fixed_h": "Fixed-H", "fixed_v": "Fixed-V", "stochastic": "Stochastic (mean of 5 seeds)"}
STAGES = {
    "values": "value regression",
    "polish": "value regression, polished by policy gradient",
    "pt": "Pt (policy alone)",
    "ft1": "Ft-1 (policy and HR stream, no LR stream)",
    "ft2": "Ft-2 (policy and HR stream, LR stream mixed in)",
}


def write_card(manifest: Manifest, size: int) -> str:
    """The README.md of a bundle whose files take `size` bytes together."""
    sections = [_what(manifest, size), _how(manifest), _table(manifest), _curve(manifest), _stages(manifest)]
    if remarks := manifest.evaluation.get("remarks"):
        sections.append("## Remarks\n\n" + "".join(f"- {remark}\n" for remark in remarks))
    return "\n".join(sections)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _what(manifest: Manifest, size: int) -> str:
    classes = len(manifest.classes)
    side = f"{manifest.lr_size} x {manifest.lr_size} px"
    return f"""# Bundle `{manifest.name}` {manifest.version}

A policy and a two-stream classifier for tiles of {manifest.tile_m:.2f} m.
The policy looks at {side} of {manifest.lr_gsd_m:.2f} m
and says which of the tile's 16 patches are worth buying
at {manifest.hr_gsd_m:.2f} m ({manifest.hr_size} px a tile);
the classifier then names one of {classes} classes: {", ".join(manifest.classes)}.
Weights: {size / 1e6:.1f} MB, fp16 safetensors, read as fp32.

## What it is not

{_simulated(manifest)}- It knows these {classes} classes, one label per tile. Anything else gets one of them.
- Its test split has {manifest.evaluation["test"]["images"]} images:
  read every accuracy with its standard error.
"""


def _simulated(manifest: Manifest) -> str:
    if manifest.evaluation.get("data") == "pairs":
        return ""
    return """- Its LR pixels are **simulated**: sharp images averaged down.
  A real satellite adds blur, noise, haze and other colours;
  expect worse until you train on your own pairs, which is one command.
"""


def _how(manifest: Manifest) -> str:
    notes = manifest.evaluation
    return f"""## How it was trained

`loupe-train fit {notes["recipe"]} --data DIR --out OUT`
at commit `{manifest.git_revision[:12]}`, seed {notes["seed"]}, on {notes["hardware"]}:
{notes["minutes"]:.0f} minutes of epochs.
{notes["validation_images"]} images of the training split were held out;
every choice was made on them or on out-of-fold predictions, none on the test split.
Data digest of the training split: `{manifest.data_digest[:16]}`.
Not-bought pixels: {manifest.fill} fill.
Fusion exponent {manifest.fusion_exponent:g}, doubt exponent {manifest.uncertainty_exponent:g},
temperature {manifest.temperature:g}.
"""


def _table(manifest: Manifest) -> str:
    test = manifest.evaluation["test"]
    policy = test["policy"]
    hr_cnn = manifest.evaluation["hr_cnn_accuracy"]
    rows = [
        _row("LR-CNN: buy nothing", 0, test["lr_only"]["accuracy"], test["lr_only"]["standard_error"]),
        _row("**this policy**", policy["mean_patches"], policy["accuracy"], policy["standard_error"]),
    ]
    rows += [
        _row(NAMES[name], policy["mean_patches"], values["at_same_patches"], None, values["gain"])
        for name, values in test["baselines"].items()
    ]
    rows += [
        _row("buy everything", 16, test["all_patches"]["accuracy"], test["all_patches"]["standard_error"]),
        _row("HR-CNN (a separate network, not shipped)", 16, hr_cnn, None),
    ]
    heading = "| | S | accuracy | standard error | gain over it [95 %] | without gain |\n" + "|---" * 6 + "|"
    return (
        "## Measured on the test split\n\n"
        f"S is the mean number of patches bought of 16; utility threshold {manifest.threshold:g}.\n"
        "Fixed-H, Fixed-V and Stochastic use the same classifier at the same S,\n"
        "interpolated between whole numbers. The policy's gain over them is a paired bootstrap over images,\n"
        "with the share of resamples that show none.\n\n"
        + "\n".join([heading, *rows])
        + "\n\n"
        + _verdict(test)
        + _rounded_up(test)
    )


def _row(name: str, patches: float, accuracy: float, error: float | None, gain: Any = None) -> str:
    se = "" if error is None else f"{100 * error:.1f}"
    if gain is None:
        return f"| {name} | {patches:.2f} | {_percent(accuracy)} | {se} | | |"
    interval = f"{100 * gain['mean']:+.1f} [{100 * gain['low']:+.1f}, {100 * gain['high']:+.1f}]"
    chance = _percent(gain["share_without_gain"])
    return f"| {name} | {patches:.2f} | {_percent(accuracy)} | {se} | {interval} | {chance} |"


def _verdict(test: dict[str, Any]) -> str:
    """One sentence a baseline, by whether the interval of the gain leaves zero out."""
    gains = {NAMES[name]: values["gain"] for name, values in test["baselines"].items()}
    return "".join(f"- The policy {verdict(gain)} {name}.\n" for name, gain in gains.items()) + "\n"


def _rounded_up(test: dict[str, Any]) -> str:
    parts = [
        f"{NAMES[name]} {_percent(values['at_patches_rounded_up'])}"
        for name, values in test["baselines"].items()
    ]
    return f"With S rounded up in the baselines' favour: {', '.join(parts)}.\n"


def _curve(manifest: Manifest) -> str:
    test = manifest.evaluation["test"]
    lines = [
        f"| {point.threshold:.3f} | {point.mean_patches:.2f} | {_percent(point.accuracy)} |"
        for point in manifest.curve
    ]
    sizes = list(next(iter(test["baselines"].values()))["accuracy_by_patches"])
    baseline = ["| | " + " | ".join(f"S = {size}" for size in sizes) + " |", "|---" * (len(sizes) + 1) + "|"]
    for name, values in test["baselines"].items():
        cells = " | ".join(_percent(values["accuracy_by_patches"][size]) for size in sizes)
        baseline.append(f"| {NAMES[name]} | {cells} |")
    return (
        f"## Curve ({manifest.curve_split} split)\n\n"
        "Sliding the threshold down buys more and never un-buys.\n"
        "The thresholds were placed on validation.\n\n"
        "| threshold | S | accuracy |\n|---|---|---|\n"
        + "\n".join(lines)
        + "\n\n"
        + "\n".join(baseline)
        + "\n"
    )


def _stages(manifest: Manifest) -> str:
    notes = manifest.evaluation
    lines = []
    for name, row in notes["stages"].items():
        shipped = " (shipped)" if name == notes["chosen"] else ""
        validation = notes["validation"][name]["accuracy"]
        lines.append(
            f"| {STAGES[name]}{shipped} | {_percent(validation)} | {_percent(row['accuracy'])} "
            f"| {row['mean_patches']:.2f} | {_percent(row['images_without_purchase'])} |"
        )
    return (
        "## Policies of each stage\n\n"
        f"{_choice(manifest)}\n"
        "Their test rows were measured once, after that choice,\n"
        "with the networks as trained; only the shipped one can be measured again.\n\n"
        "| policy | validation, S = 2 to 6 | test | S | buys nothing |\n|---|---|---|---|---|\n"
        + "\n".join(lines)
        + "\n"
    )


def _choice(manifest: Manifest) -> str:
    if manifest.mode == "paper":
        return "The paper's last stage is shipped, whatever validation says of the others."
    return "The shipped one has the best mean validation accuracy over S = 2 to 6."
