"""Options of the commands that plan: objective, prices, task, reuse and bundle."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ObjectiveChoice(StrEnum):
    """The objectives that a plan can optimise, listed here so that the commands start without numpy."""

    POLICY = "policy"
    LAMBDA = "lambda"
    MAX_COST = "max_cost"
    MAX_PATCHES = "max_patches"
    TARGET_ACCURACY = "target_accuracy"
    GUARANTEE = "guarantee"


PriceList = Annotated[
    str | None,
    typer.Option(
        help="Price list, by name, id or its beginning. Default: example-no-minimum, an example list."
    ),
]
NextPriceList = Annotated[
    str | None,
    typer.Option(
        "--price-list",
        help="Price list, by name, id or its beginning. Default: the newest version of that of the plan.",
    ),
]
Kind = Annotated[
    ObjectiveChoice | None,
    typer.Option(
        metavar="OBJECTIVE",
        help="One of policy, lambda, max_cost, max_patches, target_accuracy and guarantee. Default: the one "
        "whose option is given, else policy.",
    ),
]
CostWeight = Annotated[
    float | None, typer.Option("--lambda", help="Utility that each unit of money must bring.", min=0)
]
MaxCost = Annotated[
    str | None, typer.Option(help='Most to spend, such as "12.50", in the currency of the price list.')
]
MaxPatches = Annotated[int | None, typer.Option(help="Most patches to buy.", min=0)]
TargetAccuracy = Annotated[
    float | None,
    typer.Option(help="Accuracy to reach in the evaluation of the bundle, such as 0.95.", min=0, max=1),
]
GuaranteedShare = Annotated[
    str | None,
    typer.Option(
        "--guarantee",
        metavar="LOSS:SHARE",
        help='Loss to keep at a share with a guarantee: "labels:0.05" for 5 % of the labels lost, or '
        '"objects:0.05". `loupe bundles list` shows what a bundle certifies.',
    ),
]


class TaskChoice(StrEnum):
    """The tasks that a plan can pay for."""

    LABEL = "label"
    COUNT = "count"
    FIND = "find"


TaskOption = Annotated[
    TaskChoice | None,
    typer.Option(
        "--task",
        help="Purpose of the plan: `label` correct labels, `count` correct counts, `find` objects in "
        "bought patches. Default: that of the bundle, or as in the plan that is replaced.",
    ),
]


class ReuseChoice(StrEnum):
    """Whether ground is bought again that is owned or on order."""

    OWNED = "owned"
    NONE = "none"


Reuse = Annotated[
    ReuseChoice | None,
    typer.Option(
        help="Ground that is owned or on order: `owned` leaves it out, `none` buys it again. "
        "Default: owned, or as in the plan that is replaced."
    ),
]
GeoJson = Annotated[
    Path | None, typer.Option(help="Write every patch and its decision to this GeoJSON file, for QGIS.")
]
Picture = Annotated[
    Path | None, typer.Option(help="Write the scene with the bought patches outlined to this PNG file.")
]
SceneFile = Annotated[
    typer.FileBinaryRead,
    typer.Argument(
        metavar="FILE", help="Scene as low-resolution GeoTIFF; - reads it from standard input.", lazy=False
    ),
]


BundleOption = Annotated[
    str | None,
    typer.Option(
        help="Bundle to plan with: its name, NAME@VERSION, sha256 or its beginning. Default: the server's "
        "default; `loupe bundles list` shows all."
    ),
]
