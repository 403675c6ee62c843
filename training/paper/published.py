"""The numbers that the paper prints (Uzkent and Ermon, CVPR 2020, Tables 1 to 4); typed nowhere else.

A cell is (accuracy in %, S). Table 2 gives S once for each data set and stage; the five methods without
stages repeat one accuracy in every column.
"""

from dataclasses import dataclass

STAGES = ("pt", "ft1", "ft2")
STAGE_NAMES = {"": "", "pt": "Pt", "ft1": "Ft-1", "ft2": "Ft-2"}

Cells = dict[str, tuple[float, float]]
"""By stage; "" where a method has none."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table's methods, in order, and the paper's cells by data set."""

    title: str
    methods: dict[str, str]
    """Key to printed name."""
    stages: tuple[str, ...]
    cells: dict[str, dict[str, Cells]]
    reference: str
    """The method that the others are compared with."""
    notes: tuple[str, ...] = ()


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
    """`lr` are LR-CNN, SRGAN, KD, PCN and HR-CNN; `columns` by method, and `sizes`, by stage."""
    alone = zip(("lr_cnn", "srgan", "kd", "pcn", "hr_cnn"), lr, strict=True)
    cells: dict[str, Cells] = {
        name: {"": (value, 16.0 if name == "hr_cnn" else 0.0)} for name, value in alone
    }
    for method, values in columns.items():
        bought = sizes["patchdrop" if method == "patchdrop" else "baselines"]
        cells[method] = dict(zip(STAGES, zip(values, bought, strict=True), strict=True))
    return cells


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
BAGNET: dict[str, Cells] = {
    "bagnet": {"": (85.6, 16)},
    "hr_cnn": {"": (92.3, 16)},
    "bagnet_fixed_h": {"pt": (67.7, 10), "ft1": (86.3, 9)},
    "bagnet_fixed_v": {"pt": (68.3, 10), "ft1": (86.2, 9)},
    "bagnet_stochastic": {"pt": (49.1, 10), "ft1": (83.1, 9)},
    "bagnet_stn": {"pt": (67.5, 10), "ft1": (86.8, 9)},
    "bagnet_patchdrop": {"pt": (77.4, 9.5), "ft1": (92.7, 8.5)},
}
BAGNET_MILLISECONDS = {
    "bagnet": 192,
    "hr_cnn": 77,
    "bagnet_fixed_h": 98,
    "bagnet_fixed_v": 98,
    "bagnet_stochastic": 98,
    "bagnet_stn": 112,
    "bagnet_patchdrop": 98,
}
"""On an i7-7700K."""


def _augmented(none: float, cutout: float, patchdrop: float) -> dict[str, Cells]:
    return {
        "augment_none": {"": (none, 16)},
        "augment_cutout": {"": (cutout, 16)},
        "augment_patchdrop": {"": (patchdrop, 16)},
    }


_NOTES = (
    "The paper states no seeds and no error bars.",
    "CIFAR-10's Ft-1 (91.9 at S = 7.9) and Ft-2 (91.5 at 6.9) are two points of one trade-off.",
)
TABLES: dict[str, Table] = {
    "1": Table(
        title="Table 1: overhead images",
        methods=METHODS,
        stages=STAGES,
        cells={"fmow": FMOW},
        reference="patchdrop",
        notes=(*_NOTES[:1], "Its text says about 40 % of the patches; its table says 5.2 of 16, 32.5 %."),
    ),
    "2": Table(
        title="Table 2: natural images",
        methods=METHODS,
        stages=STAGES,
        cells={"cifar10": CIFAR10, "cifar100": CIFAR100, "imagenet": IMAGENET},
        reference="patchdrop",
        notes=_NOTES,
    ),
    "3": Table(
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
        reference="bagnet_patchdrop",
    ),
    "4": Table(
        title="Table 4: what hiding patches does for HR-CNN, tested on full images",
        methods={
            "augment_none": "no augmentation",
            "augment_cutout": "CutOut",
            "augment_patchdrop": "PatchDrop",
        },
        stages=(),
        cells={
            "cifar10": _augmented(92.3, 93.5, 93.9),
            "cifar100": _augmented(69.3, 70.4, 71.0),
            "imagenet": _augmented(76.5, 76.5, 78.1),
            "fmow": _augmented(67.3, 67.6, 69.6),
        },
        reference="augment_patchdrop",
        notes=("Its text says 2 to 3 points on ImageNet and fMoW; its table says 1.6 and 2.3.",),
    ),
}
