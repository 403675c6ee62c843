"""The card of a counting bundle, written only from its manifest, so that no measured number is typed by hand.

`evaluation["remarks"]` holds sentences of the person who releases the bundle; they are printed unchanged.
"""

from typing import Any

from models.manifest import CountManifest
from models.tasks import Task
from training.objects.card_sections import guarantees_section, second_look_section

TITLES: dict[Task, str] = {
    "label": "`label`: the right class by count",
    "count": "`count`: the right count",
    "find": "`find`: objects in bought patches",
}
UNITS: dict[Task, str] = {
    "label": "gain in the probability of the right class",
    "count": "variance of the count",
    "find": "expected number of objects",
}


def write_card(manifest: CountManifest, size: int) -> str:
    """Return the README.md of a bundle whose files take `size` bytes in total."""
    sections = [_what(manifest, size), _how(manifest), _table(manifest)]
    sections += [_curve(manifest, task) for task in manifest.tasks]
    sections += [guarantees_section(manifest), *second_look_section(manifest), _calibration(manifest)]
    if remarks := manifest.evaluation.get("remarks"):
        sections.append("## Remarks\n\n" + "".join(f"- {remark}\n" for remark in remarks))
    return "\n".join(sections)


def _what(manifest: CountManifest, size: int) -> str:
    test = manifest.evaluation["test"]
    licence = f"**{manifest.licence}**" if manifest.licence else "not stated by its maker"
    side = f"{manifest.lr_size} x {manifest.lr_size} px"
    return f"""# Bundle `{manifest.name}` {manifest.version}

This bundle looks for {manifest.objects} in scenes, cut into tiles of {manifest.tile_m:g} m.
Its policy reads the whole low-resolution (LR) scene at {manifest.lr_gsd_m:.2f} m per pixel ({side} a tile)
and says how many {manifest.objects} to expect in each of a tile's 16 patches.
Its counter reads each patch that is bought in high resolution (HR), at {manifest.hr_gsd_m:.2f} m per pixel.
Both together give a tile's count with an interval, and its class: {", ".join(manifest.classes)}.
The weights take {size / 1e6:.1f} MB as fp16 safetensors and are read as fp32.

The licence of the training data is {licence}. It binds the weights too.

## Limits

{_simulated(manifest)}- The bundle counts only {manifest.objects}, as its sensor sees them.
- It was measured at {test["sites"]} test sites, with {test["images"]:,} tiles
  and {test["objects"]:,} {manifest.objects}.
  Intervals come from a bootstrap over sites, with 95 %.
"""


def _simulated(manifest: CountManifest) -> str:
    if manifest.evaluation["lr"] != "simulated":
        return ""
    if not manifest.evaluation["sensor_gap"]:
        return """- The LR pixels are **simulated**: they are averages of the HR pixels.
  A real satellite adds blur, noise, haze and other colours, so expect less on real scenes.
"""
    return """- The LR pixels are **simulated** from the HR pixels,
  with the blur, shift, colours, haze and noise of another sensor.
  Real pairs of images may differ more, for instance by what has changed between two dates.
"""


def _how(manifest: CountManifest) -> str:
    notes = manifest.evaluation  # written by training.objects.fit
    sites = notes["sites"]
    return f"""## How it was trained

`loupe-train fit {notes["recipe"]} --data DIR --out OUT`

| | |
|---|---|
| commit | `{manifest.git_revision[:12]}` |
| seed | {notes["seed"]} |
| hardware | {notes["hardware"]} |
| time | {notes["minutes"]:.0f} minutes of epochs, with those of the policies of the folds |
| data digest | `{manifest.data_digest[:16]}` |
| policies in the ensemble | {manifest.members} |
| symmetries that a policy averages over | {manifest.views} |

No site is in two splits: {sites["train"]} are for training, {sites["validation"]} for validation
and {sites["test"]} for the test.

- The policy learnt from train and validation.
- Thresholds, second look and guarantees come from policies that each left out the sites of one fold.
- The counter learnt from train. How much a reading counts beside LR was fitted on validation.
- Nothing was chosen on the test split.
"""


def _table(manifest: CountManifest) -> str:
    test = manifest.evaluation["test"]
    rows = [_row("nothing is bought", test["nothing"])]
    for task in manifest.tasks:
        served = test["tasks"][task]["served"]
        rows += [
            _row(f"**task {TITLES[task]}**", served),
            _row("Fixed-H at the same S", served["fixed_h"]),
            _row("gain of the task", served["gain"], sign="+"),
        ]
    rows.append(_row("everything is bought", test["everything"]))
    heading = "| choice | S | right class, % | objects found, % | count error |\n" + "|---" * 5 + "|"
    return (
        "## Measured on the test split\n\n"
        "S is the mean number of patches bought of 16, over all tiles: some tiles buy more than others.\n"
        "Objects found are those in bought patches. The count error is the mean absolute error of a tile's\n"
        "count. Fixed-H buys the same patches of every tile; the same networks answer for it.\n\n"
        + "\n".join([heading, *rows])
        + f"\n\nThe default task is `{manifest.default_task}`.\n"
    )


def _row(name: str, figures: dict[str, Any], sign: str = "") -> str:
    parts = [
        _with_interval(figures[column], scale, digits, sign)
        for column, scale, digits in (("accuracy", 100, 1), ("found", 100, 1), ("count_error", 1, 2))
    ]
    # A gain is one of the same number of patches.
    patches = "" if sign else f"{figures['mean_patches']:.2f}"
    return f"| {name} | {patches} | " + " | ".join(parts) + " |"


def _with_interval(figure: dict[str, float], scale: float, digits: int, sign: str = "") -> str:
    value, low, high = (f"{scale * figure[key]:{sign}.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _curve(manifest: CountManifest, task: Task) -> str:
    lines = []
    for point in manifest.evaluation["test"]["tasks"][task]["curve"]:
        fixed = point["fixed_h"]
        lines.append(
            f"| {point['threshold']:.6g} | {point['mean_patches']:.2f} "
            f"| {100 * point['accuracy']['value']:.1f} | {100 * fixed['accuracy']['value']:.1f} "
            f"| {100 * point['found']['value']:.1f} | {100 * fixed['found']['value']:.1f} "
            f"| {point['count_error']['value']:.2f} | {fixed['count_error']['value']:.2f} |"
        )
    return (
        f"## Curve of the task {TITLES[task]} ({manifest.curve_split} split)\n\n"
        f"A patch is bought if its value, the {UNITS[task]}, is at least the threshold.\n\n"
        "| threshold | S | right class, % | Fixed-H | objects found, % | Fixed-H | count error | Fixed-H |\n"
        + "|---" * 8
        + "|\n"
        + "\n".join(lines)
        + "\n"
    )


def _calibration(manifest: CountManifest) -> str:
    test = manifest.evaluation["test"]
    auc = test["presence_auc"]
    presence = _with_interval(auc, 1, 3) if auc else "not defined"
    lines = [
        f"| {name} | {100 * test['coverage'][key]['0.8']:.1f} | {100 * test['coverage'][key]['0.95']:.1f} |"
        for key, name in (("expected", "nothing, from LR"), ("read", "everything, by the counter"))
    ]
    return (
        "## Calibration\n\n"
        f"The AUC of the presence of {manifest.objects} in a patch, from LR, is {presence}.\n"
        "Share of tiles whose true count lies in the interval that is stated:\n\n"
        "| bought | 80 % interval, % | 95 % interval, % |\n|---|---|---|\n" + "\n".join(lines) + "\n"
    )
