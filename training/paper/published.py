"""The numbers of the paper (Uzkent and Ermon, CVPR 2020, Tables 1 to 4), which no other file repeats.

A cell is (accuracy in %, S). Table 2 gives S once per data set and stage; the five methods without
stages repeat one accuracy in every column.
"""

from dataclasses import dataclass

# Pt trains the policy, Ft-1 the policy and the HR stream, Ft-2 mixes in the LR stream.
PAPER_STAGES = ("pt", "ft1", "ft2")
STAGE_NAMES = {"": "", "pt": "Pt", "ft1": "Ft-1", "ft2": "Ft-2"}

Cells = dict[str, tuple[float, float]]
"""(accuracy in %, S) by stage; the stage is "" for a method without stages."""


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """A table of the paper: its methods in order, and its cells by data set."""

    title: str
    methods: dict[str, str]
    """Printed name of each method, by key."""
    stages: tuple[str, ...]
    cells: dict[str, dict[str, Cells]]
    """Cells by data set and method."""
    reference: str
    """Key of the method that the others are compared with."""
    notes: tuple[str, ...] = ()


# Dictionaries keep their order: rows are printed in it, and the last two are not in the paper.
METHODS = {
    "lr_cnn": "LR-CNN",
    "srgan": "SRGAN",
    "kd": "KD",
    "pcn": "PCN",
    "hr_cnn": "HR-CNN",
    "fixed_h": "Fixed-H",
    "fixed_v": "Fixed-V",
    "stochastic": "Stochastic",
    "stn": "STN",
    "patchdrop": "PatchDrop",
    "product": "Loupe (product mode)",
    "oracle": "Oracle (knows the label: an upper bound)",
}


def _compared(
    lr: tuple[float, ...], columns: dict[str, tuple[float, ...]], sizes: dict[str, tuple[float, ...]]
) -> dict[str, Cells]:
    """Return the cells of a data set in Tables 1 and 2.

    `lr` holds the accuracies of LR-CNN, SRGAN, KD, PCN and HR-CNN. `columns` holds those of Pt, Ft-1 and
    Ft-2 by method, and `sizes` the S of these stages.
    """
    unstaged = zip(("lr_cnn", "srgan", "kd", "pcn", "hr_cnn"), lr, strict=True)
    # Methods without stages buy nothing, except HR-CNN, which buys all 16 patches.
    cells: dict[str, Cells] = {
        name: {"": (value, 16.0 if name == "hr_cnn" else 0.0)} for name, value in unstaged
    }
    for method, values in columns.items():
        # The baselines share one S per stage, near that of PatchDrop.
        bought = sizes["patchdrop" if method == "patchdrop" else "baselines"]
        cells[method] = dict(zip(PAPER_STAGES, zip(values, bought, strict=True), strict=True))
    return cells


# Table 1.
FMOW = _compared(
    (61.4, 62.3, 63.1, 63.5, 67.3),
    {
        "fixed_h": (47.7, 63.3, 64.9),
        "fixed_v": (48.3, 63.2, 64.7),
        "stochastic": (29.1, 57.1, 63.6),
        "stn": (46.5, 61.8, 64.8),
        "patchdrop": (53.4, 67.1, 68.3),
    },
    {"baselines": (7, 6, 6), "patchdrop": (7, 5.9, 5.2)},
)
# Table 2, first block.
CIFAR10 = _compared(
    (75.8, 78.8, 81.8, 83.3, 92.3),
    {
        "fixed_h": (71.2, 83.8, 85.2),
        "fixed_v": (64.7, 83.4, 85.1),
        "stochastic": (40.6, 82.1, 83.7),
        "stn": (66.9, 85.2, 87.1),
        "patchdrop": (80.6, 91.9, 91.5),
    },
    {"baselines": (9, 8, 7), "patchdrop": (8.5, 7.9, 6.9)},
)
# Table 2, second block.
CIFAR100 = _compared(
    (55.1, 56.1, 61.1, 62.6, 69.3),
    {
        "fixed_h": (48.5, 65.8, 67.0),
        "fixed_v": (46.2, 65.5, 67.2),
        "stochastic": (27.6, 63.2, 64.8),
        "stn": (41.1, 64.3, 66.4),
        "patchdrop": (57.3, 69.3, 70.4),
    },
    {"baselines": (9, 10, 10), "patchdrop": (9, 9.9, 9.1)},
)
# Table 2, third block.
IMAGENET = _compared(
    (58.1, 63.1, 62.4, 63.9, 76.5),
    {
        "fixed_h": (48.8, 68.6, 70.4),
        "fixed_v": (48.4, 68.4, 70.8),
        "stochastic": (38.6, 66.2, 68.4),
        "stn": (58.6, 69.4, 71.4),
        "patchdrop": (60.2, 74.9, 76.0),
    },
    {"baselines": (10, 9, 8), "patchdrop": (10.1, 9.1, 7.9)},
)
# Table 3. BagNet has no LR stream, so it has no Ft-2.
BAGNET: dict[str, Cells] = {
    "bagnet": {"": (85.6, 16)},
    "hr_cnn": {"": (92.3, 16)},
    "bagnet_fixed_h": {"pt": (67.7, 10), "ft1": (86.3, 9)},
    "bagnet_fixed_v": {"pt": (68.3, 10), "ft1": (86.2, 9)},
    "bagnet_stochastic": {"pt": (49.1, 10), "ft1": (83.1, 9)},
    "bagnet_stn": {"pt": (67.5, 10), "ft1": (86.8, 9)},
    "bagnet_patchdrop": {"pt": (77.4, 9.5), "ft1": (92.7, 8.5)},
}
# One time per method: the paper gives none by stage.
BAGNET_MILLISECONDS = {
    "bagnet": 192,
    "hr_cnn": 77,
    "bagnet_fixed_h": 98,
    "bagnet_fixed_v": 98,
    "bagnet_stochastic": 98,
    "bagnet_stn": 112,
    "bagnet_patchdrop": 98,
}
"""Milliseconds per image in Table 3, which the paper measured on an i7-7700K."""


def _augmented(none: float, cutout: float, patchdrop: float) -> dict[str, Cells]:
    # Table 4 tests on full images: S is 16 in every cell.
    return {
        "augment_none": {"": (none, 16)},
        "augment_cutout": {"": (cutout, 16)},
        "augment_patchdrop": {"": (patchdrop, 16)},
    }


_NOTES = (
    "The paper states no seeds and no error bars.",
    "Ft-1 (91.9 % at S = 7.9) and Ft-2 (91.5 % at S = 6.9) of CIFAR-10 are two points of one trade-off.",
)
TABLES: dict[str, PublishedTable] = {
    "1": PublishedTable(
        title="Table 1: overhead images",
        methods=METHODS,
        stages=PAPER_STAGES,
        cells={"fmow": FMOW},
        reference="patchdrop",
        notes=(
            *_NOTES[:1],
            "The paper's text states about 40 % of the patches; its table states 5.2 of 16, which is 32.5 %.",
        ),
    ),
    "2": PublishedTable(
        title="Table 2: natural images",
        methods=METHODS,
        stages=PAPER_STAGES,
        cells={"cifar10": CIFAR10, "cifar100": CIFAR100, "imagenet": IMAGENET},
        reference="patchdrop",
        notes=_NOTES,
    ),
    "3": PublishedTable(
        title="Table 3: BagNet",
        methods={
            "bagnet": "BagNet, no drop",
            "hr_cnn": "CNN, no drop",
            "bagnet_fixed_h": "Fixed-H",
            "bagnet_fixed_v": "Fixed-V",
            "bagnet_stochastic": "Stochastic",
            "bagnet_stn": "STN",
            "bagnet_patchdrop": "BagNet (PatchDrop)",
        },
        stages=("pt", "ft1"),
        cells={"cifar10": BAGNET},
        # Without the LR stream there are two stages.
        reference="bagnet_patchdrop",
    ),
    "4": PublishedTable(
        title="Table 4: HR-CNN trained with hidden patches, tested on full images",
        methods={
            "augment_none": "no augmentation",
            "augment_cutout": "CutOut",
            "augment_patchdrop": "PatchDrop",
        },
        stages=(),  # every cell is HR-CNN on full images
        cells={
            "cifar10": _augmented(92.3, 93.5, 93.9),
            "cifar100": _augmented(69.3, 70.4, 71.0),
            "imagenet": _augmented(76.5, 76.5, 78.1),
            "fmow": _augmented(67.3, 67.6, 69.6),
        },
        reference="augment_patchdrop",
        notes=("Its text states gains of 2 to 3 points on ImageNet and fMoW; its table states 1.6 and 2.3.",),
    ),
}
